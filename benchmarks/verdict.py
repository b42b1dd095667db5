"""How often the verdict is wrong, and when it decides: simulated runs, judged by the shipped rules.

Gains are in units of the least gain that pays (δ), tokens in horizons (T). Of a cell are counted,
run by run: Saturated said at any checkpoint, and within four horizons of the first; Regressing;
and, of the checkpoints after the first Saturated, how many keep it. A cell that breaks a bar is
simulated again with ten times as many fresh runs, since among thousands some break it by luck.

    python benchmarks/verdict.py [--runs 400] [--processes 2] [--json FILE] [--quick]

`benchmarks/verdict_courses.py` has courses that bend, turn or drop, and the forecast.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path

import numpy as np

from lccp.analysis.rules.course import Course
from lccp.analysis.rules.grid import Array, Grid
from lccp.analysis.rules.measure import Measure
from lccp.analysis.simulation import FOLLOWS, NOISES, SCATTER, Jitter, Kind, simulated

GAINS = (0.0, 0.5, 1.0, 1.25, 1.5, 2.0, 4.0)
CHECKPOINTS = (5, 6, 8, 12, 20, 40, 80)
HORIZONS = (8, 4)
SIGMAS = (0.0, 0.1, 0.2, 0.3, 0.6, 1.0)
CLUSTERS = ((2, 1), (10, 2), (8, 4), (20, 8))
SIGMAS_QUICK = (0.1, 0.3, 0.6)
CLUSTERS_QUICK = ((10, 2), (8, 4))
IRREGULAR_GRIDS = 20
AGAIN = 10


@dataclass(frozen=True)
class Cell:
    """One kind of run."""

    gain: float
    checkpoints: int
    horizons: int
    regular: bool
    sigma: float
    noise: str
    haystacks: int
    needles: int

    @property
    def density(self) -> float:
        """Checkpoints a horizon."""
        return self.checkpoints / self.horizons

    def kinds(self) -> dict[str, Kind]:
        """Its clusters, whose differences persist along the run."""
        scale = max(self.gain, 0.5)
        counts = {"haystack": self.haystacks, "needle": self.needles}
        return {
            name: Kind(count, FOLLOWS[name] * scale, SCATTER[name])
            for name, count in counts.items()
        }

    def grids(self, rng: np.random.Generator) -> list[Array]:
        """Where checkpoints lie: evenly, or anywhere, drawn uniformly."""
        if self.regular:
            return [np.linspace(self.horizons / self.checkpoints, self.horizons, self.checkpoints)]
        places = np.arange(1, 1_001) * self.horizons / 1_000
        return [
            np.sort(rng.choice(places, self.checkpoints, replace=False))
            for _ in range(IRREGULAR_GRIDS)
        ]


@dataclass
class Counts:
    """Over runs; shares by `share`."""

    runs: int = 0
    saturated: int = 0
    within_four: int = 0
    regressing: int = 0
    after: int = 0
    """Checkpoints after the first Saturated, over all runs."""
    kept: int = 0
    below: int = 0
    """Gains whose whole interval lies below the true one."""
    above: int = 0
    gains: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self


def cells(quick: bool) -> Iterator[Cell]:
    """All kinds of runs; the quick ones are an eighth of them, with every gain and density."""
    horizons, sigmas, counts = HORIZONS, SIGMAS, CLUSTERS
    if quick:
        horizons, sigmas, counts = HORIZONS[:1], SIGMAS_QUICK, CLUSTERS_QUICK
    for parts in product(GAINS, CHECKPOINTS, horizons, (True, False), sigmas, NOISES, counts):
        *first, clusters = parts
        yield Cell(*first, *clusters)


def simulate(cell: Cell, runs: int, seed: int) -> Counts:
    rng = np.random.default_rng(seed)
    grids, counts = cell.grids(rng), Counts()
    for at in grids:
        counts += _simulate(cell, at, -(-runs // len(grids)), rng)
    return counts


def _simulate(cell: Cell, at: Array, runs: int, rng: np.random.Generator) -> Counts:
    unit = NOISES[cell.noise]
    jitter = Jitter(cell.sigma, unit.shape, unit.memory)
    values, clusters = simulated(at, cell.gain * at, jitter, cell.kinds(), runs, rng)
    course = Course.of(Grid(at), values, clusters, Measure(horizons=float(cell.horizons)))
    saturated = course.saturated(np.ones(len(at), dtype=np.bool_))
    said = np.maximum.accumulate(saturated, axis=1)
    early = said & (at - at[0] <= 4 + 1e-9)
    return Counts(
        runs=runs,
        saturated=int(said[:, -1].sum()),
        within_four=int(early.any(axis=1).sum()),
        regressing=int(course.regressing.any(axis=1).sum()),
        after=int(said.sum()),
        kept=int(saturated.sum()),
        below=int((course.upper[:, 2:] < cell.gain).sum()),
        above=int((course.lower[:, 2:] > cell.gain).sum()),
        gains=runs * (len(at) - 2),
    )


@dataclass(frozen=True)
class Bar:
    """What must hold in all cells of some kind."""

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
        "given up after the first Saturated on a plateau",
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


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*titles: str) -> list[str]:
    return [row(*titles), row(*["---"] * len(titles))]


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def job(asked: tuple[Cell, int, int]) -> tuple[Cell, Counts]:
    cell, runs, seed = asked
    return cell, simulate(cell, runs, seed)


def measure(chosen: list[Cell], runs: int, processes: int, first_seed: int) -> dict[Cell, Counts]:
    """All cells, and those that break a bar once more."""
    jobs = [(cell, runs, first_seed + i) for i, cell in enumerate(chosen)]
    with multiprocessing.Pool(processes) as pool:
        found = dict(pool.imap_unordered(job, jobs, chunksize=8))
        breaking = [cell for cell, counts in found.items() if broken(cell, counts)]
        again = [(c, AGAIN * runs, first_seed + 10**6 + i) for i, c in enumerate(breaking)]
        found |= dict(pool.imap_unordered(job, again))
    return found


def broken(cell: Cell, counts: Counts) -> list[Bar]:
    return [bar for bar in BARS if bar.covers(cell) and bar.value(counts) > bar.at_most]


def bars(found: dict[Cell, Counts]) -> list[str]:
    """The bars: the worst cell of each, and how many break it."""
    lines = head("bar", "at most", "cells", "broken in", "worst", "where")
    for bar in BARS:
        covered = {c: bar.value(n) for c, n in found.items() if bar.covers(c)}
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


def curves(found: dict[Cell, Counts]) -> list[str]:
    """Shares of runs that are Saturated, by true gain; independent noise and 8 x 4 clusters."""
    gains = [f"{gain:g} δ" for gain in GAINS]
    lines = head("checkpoints a T", "σ", *gains, "0 δ, within 4 T", "Regressing at 0")
    for (checkpoints, horizons), sigma in product(product(CHECKPOINTS, HORIZONS), SIGMAS):
        totals = [total(found, gain, checkpoints, horizons, sigma) for gain in GAINS]
        if not all(counts.runs for counts in totals):
            continue
        still = totals[0]
        counted = [counts.saturated / counts.runs for counts in totals]
        counted += [still.within_four / still.runs, still.regressing / still.runs]
        density = f"{checkpoints / horizons:g} ({checkpoints} in {horizons} T)"
        lines.append(row(density, f"{sigma:g}", *(f"{100 * share:.1f}" for share in counted)))
    return lines


def total(
    found: dict[Cell, Counts], gain: float, checkpoints: int, horizons: int, sigma: float
) -> Counts:
    summed = Counts()
    for regular, noise in product((True, False), NOISES):
        cell = Cell(gain, checkpoints, horizons, regular, sigma, noise, 8, 4)
        if noise != "AR .5" and cell in found:
            summed += found[cell]
    return summed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400, help="runs a cell")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument(
        "--quick", action="store_true", help="8 T, σ .1, .3, .6, 10 x 2 and 8 x 4 alone"
    )
    parser.add_argument("--json", type=Path, help="write all counts to this file")
    arguments = parser.parse_args()
    started = time.monotonic()
    found = measure(list(cells(arguments.quick)), arguments.runs, arguments.processes, first_seed=0)
    sections = {
        "Bars": bars(found),
        "Saturated, percent of runs, by true gain a horizon (8 x 4 clusters)": curves(found),
    }
    for title, lines in sections.items():
        print(f"\n### {title}\n", *lines, sep="\n")
    missed, ends = (
        sum(n.below + n.above for n in found.values()),
        2 * sum(n.gains for n in found.values()),
    )
    runs, minutes = sum(n.runs for n in found.values()), (time.monotonic() - started) / 60
    print(f"\nEnds of gains' intervals that miss the true gain: {percent(missed / ends, 1)}.")
    print(f"{len(found):,} cells, {runs:,} runs, {minutes:.0f} minutes.")
    if arguments.json:
        rows = [asdict(cell) | asdict(counts) for cell, counts in found.items()]
        arguments.json.write_text(json.dumps(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
