"""Readings, assembled from the steps that judged their tokens."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lccp.contract.errors import InvalidInput
from lccp.cost.planning.evaluators import FLOAT_ROWS
from lccp_evaluator.model.finite import LARGEST_NLL_NATS, NotFiniteModel
from lccp_evaluator.passes.passage import Passage, Reading
from lccp_evaluator.passes.schedule import AnswerRows
from lccp_evaluator.passes.sight import Sight
from lccp_evaluator.passes.step import Step


class Readings:
    """The readings of `passages` so far."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        counts = [passage.answer[1] - passage.answer[0] for passage in passages]
        self._nll = [np.full(count, np.nan, dtype=np.float32) for count in counts]
        self._is_arg_max = [np.zeros(count, dtype=np.bool_) for count in counts]
        self._looks: list[list[_Look]] = [[] for _ in passages]

    def add(self, step: Step, logits: Iterable[Tensor]) -> None:
        """Add what `step` judged; `logits` at its `kept_rows`, in blocks [n, V].

        Raises NotFiniteModel if a value is not finite.
        """
        judged = step.judged
        if not judged:
            deque(logits, maxlen=0)  # its keys are for others
            return
        targets = [self._targets(one) for one in judged]
        rows = [np.arange(one.row, one.row + one.count) for one in judged]
        index = np.searchsorted(step.kept_rows, np.concatenate(rows))
        nll, is_arg_max = judge(logits, index, np.concatenate(targets))
        if not np.isfinite(nll).all():
            raise NotFiniteModel("weights or logits are not finite")
        stops = np.cumsum([one.count for one in judged])
        for one, low, high in zip(judged, [0, *stops], stops, strict=False):
            places = slice(one.place, one.place + one.count)
            self._nll[one.passage][places] = nll[low:high]
            self._is_arg_max[one.passage][places] = is_arg_max[low:high]
        self._add_looks(step)

    def collected(self) -> list[Reading]:
        """One reading per passage, once all steps are added."""
        for nll in self._nll:
            if len(nll) and not float(nll.mean()) <= LARGEST_NLL_NATS:
                raise NotFiniteModel(
                    f"the NLL of an answer is {nll.mean():.4g} nats a token: its perplexity is "
                    "too large for a number"
                )
        return [
            Reading(nll, is_arg_max, *_joined(looks, len(nll)))
            for nll, is_arg_max, looks in zip(self._nll, self._is_arg_max, self._looks, strict=True)
        ]

    def _targets(self, one: AnswerRows) -> NDArray[np.int64]:
        passage = self._passages[one.passage]
        start = passage.answer[0] + one.place
        return passage.ids[start : start + one.count].astype(np.int64)

    def _add_looks(self, step: Step) -> None:
        watched = step.watched
        if not watched:
            return
        position, mass, sees = _by_layer(step.sights)
        stops = np.cumsum([one.count for one in watched])
        for one, low, high in zip(watched, [0, *stops], stops, strict=False):
            copied = self._copied(one, position[..., low:high])
            look = _Look(one.place, copied, mass[..., low:high], sees[..., low:high])
            self._looks[one.passage].append(look)

    def _copied(self, one: AnswerRows, position: NDArray[np.int64]) -> NDArray[np.int16]:
        """`Reading.copied` of the keys at `position` [layers, heads, count]."""
        passage = self._passages[one.passage]
        assert passage.needle is not None
        start, stop = passage.needle
        is_copy = (position >= start) & (position < stop)
        is_copy &= passage.ids[position] == self._targets(one)
        return np.where(is_copy, position - start, -1).astype(np.int16)


@dataclass(frozen=True)
class _Look:
    """At consecutive answer tokens, from number `place`: see `Reading`; `mass` for each."""

    place: int
    copied: NDArray[np.int16]
    mass: NDArray[np.float32]
    sees: NDArray[np.bool_]


def _joined(
    looks: list[_Look], count: int
) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.bool_]]:
    """`copied` [layers, heads, count], `mass` [layers, heads] and `sees` [layers, count]."""
    if not looks:
        none = np.zeros((0, 0, count), np.int16)
        return none, np.zeros((0, 0), np.float32), np.zeros((0, count), np.bool_)
    looks.sort(key=lambda look: look.place)
    mass = np.concatenate([look.mass for look in looks], axis=-1).mean(axis=-1)
    return (
        np.concatenate([look.copied for look in looks], axis=-1),
        mass.astype(np.float32),
        np.concatenate([look.sees for look in looks], axis=-1),
    )


def _by_layer(
    sights: Sequence[Sequence[Sight]],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """Positions and masses [layers, heads, rows], and `sees` [layers, rows]."""
    layers = [Sight.join(layer) for layer in sights]
    heads = sorted({len(layer.position) for layer in layers})
    if len(heads) != 1:
        raise InvalidInput(
            f"its layers have {', '.join(map(str, heads[:-1]))} and {heads[-1]} heads: heads are "
            "compared by layer and number, so all layers must have equally many; turn the probe "
            "off (retrievalHeads: {enabled: false})"
        )
    return (
        _stacked([layer.position for layer in layers]),
        _stacked([layer.mass for layer in layers]),
        _stacked([layer.sees for layer in layers]),
    )


def _stacked(layers: Sequence[Tensor]) -> NDArray[Any]:
    """`layers`, each on its own device, in one array."""
    values: NDArray[Any] = torch.stack([one.to(layers[0].device) for one in layers]).cpu().numpy()
    return values


def judge(
    blocks: Iterable[Tensor], index: NDArray[np.int64], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """NLL (nats) of `targets` [N] at rows `index` [N] of logits; whether they are the arg-max.

    The logits come in `blocks` [n, V], one after the other.
    """
    nll, is_arg_max = np.full(len(targets), np.nan, np.float32), np.zeros(len(targets), np.bool_)
    start = 0
    for logits in blocks:
        here = (index >= start) & (index < start + len(logits))
        nll[here], is_arg_max[here] = _judged(logits, index[here] - start, targets[here])
        start += len(logits)
    return nll, is_arg_max


def _judged(
    logits: Tensor, index: NDArray[np.int64], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """`judge` in one block; its logits are converted to float32 a few rows at a time."""
    log_sums, best = [], []
    for rows_of_block in torch.split(logits, FLOAT_ROWS):
        numbers = rows_of_block.float()
        log_sums.append(numbers.logsumexp(-1))
        best.append(numbers.argmax(-1))
    rows = torch.from_numpy(index).to(logits.device)
    wanted = torch.from_numpy(targets).to(logits.device)
    nll = torch.cat(log_sums)[rows] - logits[rows, wanted].float()
    is_arg_max = torch.cat(best)[rows] == wanted
    return nll.cpu().numpy(), is_arg_max.cpu().numpy()
