"""Document lengths of each source, how much of it is used, and the positions of tokens in rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.losses import PositionShare, position_edges
from lccp_trainer.data.packing import PackedSource, Piece, used_tokens
from lccp_trainer.data.stream import DataStream

ROWS_MAX = 2_000
"""Rows that are planned to find how packing spreads the tokens over positions."""


@dataclass(frozen=True)
class SourceFacts:
    """The content of a source, and how much of it the run uses."""

    name: str
    documents: int
    tokens: int
    median: int
    """Median tokens of a document."""
    percentile_95: int
    longest: int
    minimum: int
    """Tokens; shorter documents are left out."""
    used_share: float
    """Share of the source's tokens in documents that are long enough, 0 to 1."""
    share: float
    """Share of the run's tokens, 0 to 1."""
    epochs: float
    """How often the run reads it."""

    @classmethod
    def of(
        cls, name: str, source: PackedSource, lengths: NDArray[np.int64], row: int, budget: int
    ) -> Self:
        """The facts of a source with documents of `lengths`, in rows of `row` tokens.

        Args:
            budget: tokens of the run.
        """
        used = used_tokens(lengths, source.minimum_tokens, row)
        median, high = np.percentile(lengths, [50, 95]).round().astype(int).tolist()
        return cls(
            name=name,
            documents=len(lengths),
            tokens=int(lengths.sum()),
            median=median,
            percentile_95=high,
            longest=int(lengths.max()),
            minimum=source.minimum_tokens,
            used_share=used / int(lengths.sum()),
            share=source.share,
            epochs=source.share * budget / used,
        )


def position_bands(stream: DataStream, source_context: int, budget: int) -> list[PositionShare]:
    """Shares of the positions within the source context, and of each doubling beyond it.

    The first rows are planned as the run will plan them; no token is read.
    """
    row = stream.packing.row_tokens
    rows, _ = stream.packing.rows(stream.start(), min(ROWS_MAX, max(1, budget // row)))
    edges = position_edges(source_context, row)
    return shares_of(edges, (piece for planned in rows for piece in planned))


def shares_of(edges: Sequence[int], pieces: Iterable[Piece]) -> list[PositionShare]:
    """Shares of the tokens of `pieces` between each two `edges`."""
    lengths = np.array([len(piece) for piece in pieces])
    counts = [int(np.clip(lengths - start, 0, end - start).sum()) for start, end in pairwise(edges)]
    total = max(1, sum(counts))
    return [
        PositionShare(start=start, end=end, share=count / total)
        for (start, end), count in zip(pairwise(edges), counts, strict=True)
    ]
