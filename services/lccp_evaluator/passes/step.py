"""One step of a schedule as a forward pass: its pieces in one row, each with its own past."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lccp_evaluator.model.attention import CausalMask, attend, between
from lccp_evaluator.model.capture import Call
from lccp_evaluator.passes.arena import Arena
from lccp_evaluator.passes.passage import Heads, Passage, Span
from lccp_evaluator.passes.schedule import AnswerRows, Piece
from lccp_evaluator.passes.sight import Sight, look


@dataclass
class Step:
    """An observer that gives every piece its past, and watches heads where passages have needles.

    Heads that are `masked` add nothing to their layer's output. `sights` holds, layer by layer,
    what heads saw at the judged rows that are watched. `layers` is the model's number of layers if
    only attention reads other tokens: the last layer then attends at judged rows only, since
    nothing reads its other rows. None: it attends at all rows.
    """

    pieces: Sequence[Piece]
    passages: Sequence[Passage]
    arena: Arena
    watches: bool
    sights: list[list[Sight]] = field(default_factory=list)
    masked: Heads = ()
    layers: int | None = None

    def inputs(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Token ids and positions, [1, T] each."""
        ids = [self.passages[p.passage].ids[p.start : p.stop] for p in self.pieces]
        positions = [np.arange(p.start, p.stop) for p in self.pieces]
        both = [np.concatenate(one).astype(np.int64)[None] for one in (ids, positions)]
        return torch.from_numpy(both[0]).to(device), torch.from_numpy(both[1]).to(device)

    @property
    def judged(self) -> list[AnswerRows]:
        """Judged rows of all pieces."""
        return [one for piece in self.pieces for one in piece.judged]

    @property
    def watched(self) -> list[AnswerRows]:
        """Judged rows at which heads are watched."""
        return [one for piece in self.pieces for one in self._watched(piece)]

    @cached_property
    def kept_rows(self) -> NDArray[np.int64]:
        """Rows whose logits are needed, in order."""
        rows = [np.arange(one.row, one.row + one.count) for one in self.judged]
        return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)

    def mask(self, mask: CausalMask, asked: dict[str, Any]) -> None:
        """Nothing to do: masks were checked before measuring."""

    def attend(self, call: Call) -> Tensor:
        """See `capture.Observer`."""
        layer, query = len(self.sights), call.query[0]
        for piece in self.pieces:
            key, value = (one[0, :, piece.rows] for one in (call.key, call.value))
            self.arena.put(layer, piece.slot, key, value)
        output = query.new_zeros(query.shape[1], len(query), call.value.shape[-1])
        sights = []
        for piece in self.pieces:
            parts = self.arena.parts(layer, piece.slots)
            if rows := self._needed(piece, layer):
                seen = between(parts, 0, piece.start + rows.stop - piece.row)
                needed = attend(query[:, rows.start : rows.stop], seen, call.form)
                output[rows.start : rows.stop] = needed.transpose(0, 1)
            for one in self._watched(piece):
                first = piece.start + one.row - piece.row
                rows = range(first, first + one.count)
                asked = query[:, one.row : one.row + one.count]
                sights.append(look(asked, parts, rows, self._needle(one), call.form))
        self.sights.append(sights)
        for head in (head for at, head in self.masked if at == layer):
            output[:, head] = 0
        return output[None]

    def _needed(self, piece: Piece, layer: int) -> range:
        """Rows of the step, of those in `piece`, at which `layer` attends."""
        rows = range(piece.rows.start, piece.rows.stop)
        if layer + 1 != self.layers:
            return rows
        ends = [end for one in piece.judged for end in (one.row, one.row + one.count)]
        return range(min(ends, default=0), max(ends, default=0))

    def _watched(self, piece: Piece) -> list[AnswerRows]:
        needles = [one for one in piece.judged if self.passages[one.passage].needle is not None]
        return needles if self.watches else []

    def _needle(self, one: AnswerRows) -> Span:
        needle = self.passages[one.passage].needle
        assert needle is not None
        return needle
