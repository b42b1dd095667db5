"""The cost of a schedule, in units that are counted before it is run."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Self

from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import Piece


@dataclass(frozen=True)
class Work:
    """Counts over forward passes."""

    passes: int = 0
    tokens: int = 0
    pairs: int = 0
    """Pairs of a query and a key that it sees: attention's cost is proportional to these."""
    pieces: int = 0
    """Parts of a pass that each have their own past."""
    judged: int = 0
    """Rows whose logits are computed."""
    watched: int = 0
    """Pairs of a row at which heads are watched and a key that it sees."""

    @classmethod
    def of(
        cls, steps: Iterable[Sequence[Piece]], passages: Sequence[Passage], watches: bool
    ) -> Self:
        """The work of `steps` over `passages`, with or without watched heads."""
        counts = [_counts(step, passages, watches) for step in steps]
        return cls(*map(sum, zip(*counts, strict=True)))

    def __add__(self, other: "Work") -> "Work":
        return Work(*map(sum, zip(astuple(self), astuple(other), strict=True)))


def _counts(step: Sequence[Piece], passages: Sequence[Passage], watches: bool) -> tuple[int, ...]:
    tokens = sum(piece.stop - piece.start for piece in step)
    pairs = sum((p.stop * (p.stop + 1) - p.start * (p.start + 1)) // 2 for p in step)
    judged = [(piece, one) for piece in step for one in piece.judged]
    rows = {row for _, one in judged for row in range(one.row, one.row + one.count)}
    watched = sum(
        one.count * piece.stop
        for piece, one in judged
        if watches and passages[one.passage].needle is not None
    )
    return 1, tokens, pairs, len(step), len(rows), watched
