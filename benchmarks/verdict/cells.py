"""Kinds of simulated runs, and how often the shipped rules give each verdict."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product

import numpy as np

from lccp.analysis.rules.course import Course
from lccp.analysis.rules.grid import Array, Grid
from lccp.analysis.rules.measure import Measure
from lccp.analysis.simulation import FOLLOWS, NOISES, SCATTER, Jitter, SimulatedClusters, simulated

GAINS = (0.0, 0.5, 1.0, 1.25, 1.5, 2.0, 4.0)
CHECKPOINTS = (5, 6, 8, 12, 20, 40, 80)
HORIZONS = (8, 4)
SIGMAS = (0.0, 0.1, 0.2, 0.3, 0.6, 1.0)
CLUSTERS = ((2, 1), (10, 2), (8, 4), (20, 8))
SIGMAS_QUICK = (0.1, 0.3, 0.6)
CLUSTERS_QUICK = ((10, 2), (8, 4))
IRREGULAR_GRIDS = 20


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

    def kinds(self) -> dict[str, SimulatedClusters]:
        """Its clusters, whose differences persist along the run."""
        scale = max(self.gain, 0.5)
        counts = {"Text": self.haystacks, "Question": self.needles}
        return {
            name: SimulatedClusters(count, FOLLOWS[name] * scale, SCATTER[name])
            for name, count in counts.items()
        }

    def grids(self, rng: np.random.Generator) -> list[Array]:
        """Positions of checkpoints: evenly spaced, or drawn uniformly."""
        if self.regular:
            return [np.linspace(self.horizons / self.checkpoints, self.horizons, self.checkpoints)]
        places = np.arange(1, 1_001) * self.horizons / 1_000
        return [
            np.sort(rng.choice(places, self.checkpoints, replace=False))
            for _ in range(IRREGULAR_GRIDS)
        ]


@dataclass
class Counts:
    """Over runs."""

    runs: int = 0
    saturated: int = 0
    within_four: int = 0
    regressing: int = 0
    after: int = 0
    """Checkpoints after the first Saturated, over all runs."""
    kept: int = 0
    below: int = 0
    """Gains whose whole interval is below the true one."""
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
