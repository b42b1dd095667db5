"""A short form of benchmarks/verdict: the bars, over few kinds of runs and with fixed seeds."""

from functools import cache
from itertools import product

import pytest
from bars import BARS, Bar, bars, broken
from cells import GAINS, Cell, Counts, simulate

from lccp.analysis.simulation import NOISES

RUNS = 60
CELLS = [
    Cell(gain, checkpoints, 8, regular, sigma, noise, *clusters)
    for gain, (checkpoints, sigma), regular, noise, clusters in product(
        (0.0, 1.0, 1.5), ((40, 0.1), (80, 0.6)), (True, False), NOISES, ((8, 4), (20, 8))
    )
]


@cache
def found() -> dict[Cell, Counts]:
    return {cell: simulate(cell, RUNS, seed) for seed, cell in enumerate(CELLS)}


@pytest.mark.slow
@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.name)
def test_the_shipped_rules_keep_the_bars(bar: Bar) -> None:
    whole = Counts()
    for cell, counts in found().items():
        if bar.covers(cell):
            whole += counts
    assert whole.runs >= 8 * RUNS
    assert bar.value(whole) <= bar.at_most


def test_gains_lie_within_their_intervals_where_noise_has_no_memory() -> None:
    counts = [counts for cell, counts in found().items() if cell.noise != "AR .5"]
    gains = sum(one.gains for one in counts)
    assert sum(one.below for one in counts) / gains <= 0.05
    assert sum(one.above for one in counts) / gains <= 0.05


@pytest.mark.parametrize("gain", GAINS)
def test_a_run_that_never_counts_breaks_no_bar_but_that_of_deciding(gain: float) -> None:
    cell = Cell(gain, 40, 8, True, 0.1, "normal", 8, 4)
    expected = ["undecided after 4 T of plateau, σ <= .6"] if gain == 0 else []
    assert [bar.name for bar in broken(cell, Counts(runs=10))] == expected


def test_the_table_says_where_a_bar_is_broken() -> None:
    cell = Cell(1.0, 40, 8, True, 0.1, "normal", 8, 4)
    (line,) = [one for one in bars(found() | {cell: Counts(10, saturated=4)}) if "at δ |" in one]
    assert "| 2.5 % |" in line
    assert line.endswith("| 40.0 % | 5 a T, regular, σ 0.1, normal, 8 x 4 |")
