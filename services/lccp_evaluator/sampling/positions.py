"""Positions of needles in a haystack, chosen so that lengths share them.

Every length uses the beginning of a haystack, so a needle at its token p serves all longer lengths.
A cell (length, depth) may use any beginning of a sentence whose depth is near its nominal one. A
position costs the tokens from it to the end of the longest length that it serves. Positions are
picked greedily, from the longest length down, so that the cost is small. A cell uses another
position only if it has no such beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_PERCENT = 4.0
"""How far a needle may be from its nominal depth, in percent of the haystack."""
STEP_SHARE = 2 / 5
"""The same as a share of the step between depths: no position is near two of them."""


@dataclass(frozen=True)
class Cell:
    """A length that holds `room` tokens of haystack, and a nominal depth.

    `candidates` are its possible positions: beginnings of sentences, or else of words, or else the
    exact token.
    """

    room: int
    depth_percent: int
    candidates: tuple[int, ...]

    @property
    def exact(self) -> float:
        """The position of the nominal depth."""
        return self.room * self.depth_percent / 100


def tolerance_percent(depths_percent: Sequence[int]) -> float:
    """How far a needle may be from any of these depths, in percent of the haystack."""
    steps = [high - low for low, high in pairwise(sorted(depths_percent))]
    return min([MOST_PERCENT, *(STEP_SHARE * step for step in steps)])


def cell(
    room: int,
    depth_percent: int,
    tolerance_percent: float,
    sentences: NDArray[np.int64],
    words: NDArray[np.int64],
) -> Cell:
    """A cell with its candidates; `sentences` and `words` are tokens that begin one, ascending."""
    exact, reach = (room * percent / 100 for percent in (depth_percent, tolerance_percent))
    low, high = max(0.0, exact - reach), min(float(room), exact + reach)
    for begins in (sentences, words):
        near = begins[np.searchsorted(begins, low) : np.searchsorted(begins, high, side="right")]
        # Both ends of a haystack begin a sentence.
        ends = [edge for edge in (0, room) if low <= edge <= high]
        candidates = sorted({*near.tolist(), *ends})
        if candidates:
            return Cell(room, depth_percent, tuple(candidates))
    return Cell(room, depth_percent, (round(exact),))


def pick(cells: Sequence[Cell]) -> list[int]:
    """A position for each of `cells`, at small cost: the nearest picked one."""
    reach: dict[int, int] = {}
    open_cells = sorted(cells, key=lambda one: (-one.room, one.depth_percent))
    while open_cells:
        first = open_cells[0]
        best = _best(first, open_cells)
        reach[best] = first.room
        open_cells = [one for one in open_cells if not _holds(one, np.array([best]))[0]]
    return [_nearest(one, reach) for one in cells]


def cost(cells: Sequence[Cell], positions: Sequence[int]) -> int:
    """Tokens computed for one needle: those after each position, and those before."""
    longest: dict[int, int] = {}
    for one, at in zip(cells, positions, strict=True):
        longest[at] = max(longest.get(at, 0), one.room)
    return max(longest) + sum(room - at for at, room in longest.items())


def _best(first: Cell, open_cells: Sequence[Cell]) -> int:
    """The candidate of `first` that saves others the most, minus its cost; then the nearest."""
    candidates = np.array(first.candidates)
    worth = (candidates - first.room).astype(float)
    for one in open_cells:
        worth += _holds(one, candidates) * max(0.0, one.room - one.exact)
    return int(candidates[np.lexsort((np.abs(candidates - first.exact), -worth))[0]])


def _holds(one: Cell, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `positions` are candidates of the cell."""
    own = np.array(one.candidates)
    found = np.minimum(np.searchsorted(own, positions), len(own) - 1)
    held: NDArray[np.bool_] = own[found] == positions
    return held


def _nearest(one: Cell, reach: Mapping[int, int]) -> int:
    usable = [at for at in one.candidates if reach.get(at, -1) >= one.room]
    return min(usable, key=lambda at: (abs(at - one.exact), at))
