"""The loss on documents that no step trains on, measured at each checkpoint."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from lccp.api.objects.losses import HeldOutCell, HeldOutLoss, PositionBand
from lccp.cost.layout import StepShape
from lccp_trainer.data.packing import Piece
from lccp_trainer.data.shards import TokenShards
from lccp_trainer.data.stream import Batch
from lccp_trainer.objectives.losses import Losses, LossTable
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.shard import shards

BANDS: tuple[PositionBand, ...] = ("within", "beyond")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rows of held-out documents; the rest of a row is padding."""

    names: tuple[str, ...]
    """Of the sources, in the order of their numbers."""
    shards: Sequence[TokenShards]
    rows: Sequence[Sequence[Piece]]
    """Each has at most a row's tokens."""
    source_context: int
    """The boundary between the two bands of positions, tokens."""

    @property
    def documents(self) -> int:
        return sum(map(len, self.rows))

    @property
    def tokens(self) -> int:
        return sum(len(piece) for row in self.rows for piece in row)

    def batches(self, shape: StepShape, rank: int) -> Iterator[Batch]:
        """The rows that `rank` computes, one micro batch at a time.

        Every rank gets equally many: missing rows are replaced by padding.
        """
        own = shape.own_rows(rank)
        for start in range(0, len(self.rows), shape.rows):
            rows = [*self.rows[start : start + shape.rows]]
            padded = rows + [()] * (shape.rows - len(rows))
            yield self._read(padded[own], shape.row_tokens)

    def _read(self, rows: Sequence[Sequence[Piece]], row_tokens: int) -> Batch:
        shape = len(rows), row_tokens
        tokens, sources = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        positions, predicted = np.zeros(shape, np.int32), np.zeros(shape, np.bool_)
        for number, row in enumerate(rows):
            at = 0
            for piece in row:
                own = number, slice(at, at + len(piece))
                read = self.shards[piece.source].read(piece.document, piece.start, piece.end)
                tokens[own], sources[own] = read, piece.source
                positions[own], predicted[own] = np.arange(len(piece)), True
                at += len(piece)
            positions[number, at:] = np.arange(row_tokens - at)
        return Batch(tokens, positions, predicted, sources)


@dataclass(frozen=True)
class HeldOutMeter:
    """Measures the current model. Called on every rank at the same point.

    The result is the same under every layout, except for the order of summation.
    """

    engine: Any
    held_out: HeldOut
    shape: StepShape
    groups: Groups
    device: torch.device
    alive: Callable[[], None]
    """Called after each pass, so that the measurement is not taken for a hang."""

    def __call__(self, tokens: int) -> HeldOutLoss:
        """The loss after `tokens` trained tokens."""
        names, context = self.held_out.names, self.held_out.source_context
        row = self.shape.row_tokens
        edges = [0, context, row] if context < row else [0, row]
        table = LossTable(len(names), edges, self.device)
        one = replace(self.shape, rows=self.shape.layout.data_size * self.shape.micro_batch_rows)
        with self.engine.module.measuring(table):
            for batch in self.held_out.batches(one, self.groups.rank):
                for shard in shards(batch, one, self.groups, self.device):
                    self.engine(shard)
                self.alive()
        table.exchange()
        return HeldOutLoss(tokens=tokens, cells=cells_of(table.take(), names))


def cells_of(losses: Losses, names: Sequence[str]) -> tuple[HeldOutCell, ...]:
    """The cells in which tokens were predicted, by source and then by band."""
    return tuple(
        HeldOutCell(source=name, band=band, predicted_tokens=int(count), loss=nll / count)
        for name, by_band, counts in zip(
            names, losses.nll.tolist(), losses.predicted.tolist(), strict=True
        )
        for band, nll, count in zip(BANDS, by_band, counts, strict=False)
        if count
    )
