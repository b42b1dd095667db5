"""One teacher-forced pass a batch: NLL of the answers, and what every head copies.

Logits exist at the rows alone that predict an answer token: the row before it. Nothing of size
length x length or length x vocabulary is made. Batches are padded on the right without a mask: what
follows a row is hidden from it by causality.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes import capture

CHECKED_TOKENS = 64
CHECK_TOLERANCE_NATS = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.1}

Span = tuple[int, int]


@dataclass(frozen=True)
class Passage:
    """Token ids [L], and the spans in them of the needle and of the answer that repeats it."""

    ids: NDArray[np.int64]
    needle: Span
    answer: Span


@dataclass(frozen=True)
class Reading:
    """What a model made of a passage with an answer of M tokens.

    `nll` [M] in nats; `is_arg_max` [M]; `copied` [layers, heads, M]: place in the needle of the
    token that the head looks at, if it is the token to be predicted, else -1.
    """

    nll: NDArray[np.float32]
    is_arg_max: NDArray[np.bool_]
    copied: NDArray[np.int16]


class Engine:
    """Reads passages with one model, which was loaded with `attn_implementation=capture.NAME`."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._layers = model.config.get_text_config().num_hidden_layers
        if "logits_to_keep" not in inspect.signature(model.forward).parameters:
            raise self._refusal("it cannot leave out the logits of other rows (logits_to_keep)")

    def check(self, ids: NDArray[np.int64]) -> None:
        """Hold this engine against the model's own eager attention, on the start of `ids`.

        Raises InvalidInput if they differ, or the model's attention cannot be measured.
        """
        start = torch.tensor(ids[None, :CHECKED_TOKENS], device=self._model.device)
        with torch.inference_mode():
            try:
                measured = self._next_token_nll(start)
            except InvalidInput as error:
                raise self._refusal(str(error)) from None
            except (AttributeError, TypeError) as error:
                raise self._refusal(f"its mask is not transformers' own ({error})") from error
            self._model.set_attn_implementation("eager")
            expected = self._next_token_nll(start)
            self._model.set_attn_implementation(capture.NAME)
        difference = (measured - expected).abs().mean().item()
        if not difference <= CHECK_TOLERANCE_NATS[self._model.dtype]:
            raise self._refusal(
                f"its attention does more than is known here: {difference:.3g} nats a token from "
                "its own eager attention"
            )

    def read(self, passages: Sequence[Passage]) -> list[Reading]:
        """Read the passages as one batch."""
        batch = _Batch(passages, self._model.device)
        with torch.inference_mode(), capture.watching(batch.rows) as sights:
            kept, row_index = torch.unique(batch.rows, return_inverse=True)
            logits = self._model(batch.ids, use_cache=False, logits_to_keep=kept).logits
            nll, is_arg_max = _judged(logits, row_index, batch.targets)
            copied = batch.copied(sights.positions(self._layers))
        return batch.split(nll, is_arg_max, copied)

    def _next_token_nll(self, ids: Tensor) -> Tensor:
        rows = torch.arange(ids.shape[1] - 1, device=ids.device)
        with capture.watching(rows[None]) as sights:
            logits = self._model(ids, use_cache=False, logits_to_keep=rows).logits
            if self._model.config._attn_implementation == capture.NAME:
                sights.positions(self._layers)
        return _judged(logits, rows[None], ids[:, 1:])[0]

    def _refusal(self, why: str) -> InvalidInput:
        return InvalidInput(
            f"model type {self._model.config.model_type!r} cannot be evaluated: {why}"
        )


class _Batch:
    """Passages as tensors: `ids` [B, L]; `rows`, the rows that predict, and `targets` [B, M].

    Passages with shorter answers repeat their last row; `split` leaves those out.
    """

    def __init__(self, passages: Sequence[Passage], device: torch.device) -> None:
        length = max(len(passage.ids) for passage in passages)
        ids = np.zeros((len(passages), length), dtype=np.int64)
        for row, passage in zip(ids, passages, strict=True):
            row[: len(passage.ids)] = passage.ids
        starts, stops = np.array([passage.answer for passage in passages]).T
        self._counts = stops - starts
        answers = np.minimum(starts[:, None] + np.arange(self._counts.max()), stops[:, None] - 1)
        self.ids = torch.tensor(ids, device=device)
        self.rows = torch.tensor(answers - 1, device=device)
        self.targets = self.ids.gather(1, self.rows + 1)
        self._needles = torch.tensor([passage.needle for passage in passages], device=device)

    def copied(self, positions: Tensor) -> Tensor:
        """`Reading.copied` [layers, B, H, M] of the keys at `positions` [layers, B, H, M]."""
        batch = torch.arange(len(self._counts), device=positions.device)[:, None, None]
        start, stop = (edge[:, None, None] for edge in self._needles.T)
        is_copy = (positions >= start) & (positions < stop)
        is_copy &= self.ids[batch, positions] == self.targets[:, None, :]
        return torch.where(is_copy, positions - start, -1).to(torch.int16)

    def split(self, nll: Tensor, is_arg_max: Tensor, copied: Tensor) -> list[Reading]:
        arrays = nll.cpu().numpy(), is_arg_max.cpu().numpy(), copied.transpose(0, 1).cpu().numpy()
        return [
            Reading(nll[:count], is_arg_max[:count], copied[..., :count])
            for nll, is_arg_max, copied, count in zip(*arrays, self._counts, strict=True)
        ]


def _judged(logits: Tensor, row_index: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """NLL (nats) of `targets` [B, M] at rows `row_index` [B, M] of `logits` [B, R, V]; whether
    they are the arg-max.
    """
    logits = logits.float()
    batch = torch.arange(len(logits), device=logits.device)[:, None]
    log_sums = logits.logsumexp(-1)[batch, row_index]
    best = logits.argmax(-1)[batch, row_index]
    return log_sums - logits[batch, row_index, targets], best == targets
