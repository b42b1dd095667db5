"""Requirements on the verdict, and the kinds of runs that miss them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cells import Cell, Counts
from tables import head, percent, row


@dataclass(frozen=True)
class Bar:
    """A requirement on all cells of some kind."""

    name: str
    at_most: float
    value: Callable[[Counts], float]
    covers: Callable[[Cell], bool]


def _independent(cell: Cell) -> bool:
    return cell.noise != "AR .5" and 3 <= cell.density <= 20


def false_saturated(counts: Counts) -> float:
    return counts.saturated / counts.runs


BARS = (
    Bar("Saturated at δ", 0.025, false_saturated, lambda c: c.gain == 1 and _independent(c)),
    Bar("Saturated at 1.5 δ", 0.005, false_saturated, lambda c: c.gain == 1.5 and _independent(c)),
    Bar(
        "Saturated at δ, AR .5",
        0.05,
        false_saturated,
        lambda c: c.gain == 1 and c.noise == "AR .5" and 3 <= c.density <= 20,
    ),
    Bar(
        "Regressing on a plateau",
        0.02,
        lambda n: n.regressing / n.runs,
        lambda c: c.gain == 0 and c.noise != "AR .5",
    ),
    Bar(
        "revoked after the first Saturated on a plateau",
        0.05,
        lambda n: 1 - n.kept / n.after if n.after else 0.0,
        lambda c: c.gain == 0,
    ),
    Bar(
        "undecided after 4 T of plateau, σ <= .6",
        0.05,
        lambda n: 1 - n.within_four / n.runs,
        lambda c: c.gain == 0 and c.sigma <= 0.6 and c.noise != "AR .5" and c.density >= 3,
    ),
)


def broken(cell: Cell, counts: Counts) -> list[Bar]:
    return [bar for bar in BARS if bar.covers(cell) and bar.value(counts) > bar.at_most]


def bars(found: Mapping[Cell, Counts]) -> list[str]:
    """The bars: the worst cell of each, and how many miss it."""
    lines = head("bar", "at most", "cells", "missed in", "worst", "where")
    for bar in BARS:
        covered = {c: bar.value(n) for c, n in found.items() if bar.covers(c)}
        if not covered:
            continue
        worst = max(covered, key=lambda cell: covered[cell])
        breaking = sum(value > bar.at_most for value in covered.values())
        numbers = (percent(bar.at_most, 1), len(covered), breaking, percent(covered[worst], 1))
        lines.append(row(bar.name, *numbers, words(worst)))
    return lines


def words(cell: Cell) -> str:
    spacing = "regular" if cell.regular else "irregular"
    return (
        f"{cell.density:g} a T, {spacing}, σ {cell.sigma:g}, {cell.noise}, "
        f"{cell.haystacks} x {cell.needles}"
    )
