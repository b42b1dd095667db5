"""Designs of a run's checkpoints and clusters, and simulated plateaus as they are measured by one.

A plateau (no gain at all) is simulated with noise like the run's own, or as stated, and judged by
the shipped rules. Gains and noise are in units of the least gain that pays, tokens in horizons.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol, Self, TypeVar

import numpy as np

from lccp.analysis.rules.course import Course
from lccp.analysis.rules.grid import FLOATS, Flags, Grid
from lccp.analysis.rules.measure import Measure
from lccp.analysis.simulation import Jitter, Noise, SimulatedClusters, simulated
from lccp.api.objects.policy import Policy

ENOUGH = 0.8
"""A design is enough if at least this share of plateaus is decided as it should be."""
DENSITIES = (2.5, 5.0, 10.0)
MOST_CLUSTERS = 200
"""Of a kind, that are simulated: what more of them take from the noise is negligible."""


@dataclass(frozen=True)
class Design:
    """What a plan specifies."""

    at: tuple[float, ...]
    """Horizons of its checkpoints, ascending."""
    clusters: Mapping[str, int]
    """How many there are, by kind; kinds are crossed."""

    @classmethod
    def even(cls, horizons: float, density: float, clusters: Mapping[str, int]) -> Self:
        """`density` checkpoints a horizon, evenly spaced."""
        count = int(horizons * density + 1e-9)
        return cls(tuple((i + 1) / density for i in range(count)), clusters)

    @property
    def samples(self) -> int:
        """Samples read along the run, not counting the grid of lengths and depths."""
        return len(self.at) * math.prod(self.clusters.values())


@dataclass(frozen=True)
class Planned:
    """What is planned for a signal, and what hides its plateaus."""

    design: Design
    noise: Noise
    fixed: Collection[str] = ()
    """Kinds of clusters whose number no setting chooses."""

    def designs(self) -> Iterator[Design]:
        """The plan itself, and others of its length to choose from."""
        return designs(self.design, self.fixed)


def designs(planned: Design, fixed: Collection[str] = ()) -> Iterator[Design]:
    """The plan itself, and others of its length to choose from: with half and twice the clusters
    of each kind, except of those whose number is `fixed`."""
    yield planned
    choices = [
        [count] if kind in fixed else sorted({max(2, count // 2), count, 2 * count})
        for kind, count in planned.clusters.items()
    ]
    for density, counts in product(DENSITIES, product(*choices)):
        clusters = dict(zip(planned.clusters, counts, strict=True))
        other = Design.even(planned.at[-1], density, clusters)
        if other.at:
            yield other


def continued(tokens: Sequence[int], budget_tokens: int | None) -> list[int]:
    """The checkpoints at `tokens`, two or more, and further ones of the same density."""
    every = max(1, round((tokens[-1] - tokens[0]) / (len(tokens) - 1)))
    end = tokens[-1] if budget_tokens is None else budget_tokens
    return [*tokens, *range(tokens[-1] + every, end + 1, every)]


def courses(design: Design, noise: Noise, policy: Policy, runs: int, seed: int) -> Course:
    """Those of simulated plateaus, [runs, K]."""
    rng, at = np.random.default_rng(seed), np.array(design.at)
    kinds = {
        kind: SimulatedClusters(
            min(count, MOST_CLUSTERS), noise.slopes.get(kind, 0.0), noise.scatter.get(kind, 0.0)
        )
        for kind, count in design.clusters.items()
    }
    values, clusters = simulated(at, 0.0 * at, Jitter(noise.jitter), kinds, runs, rng)
    measure = Measure(
        patience=policy.patience, confidence=policy.confidence, horizons=design.at[-1]
    )
    grid = Grid(at, policy.rounding_tokens / policy.horizon_tokens)
    return Course.of(grid, values, clusters, measure)


def allowed(course: Course, policy: Policy) -> Flags:
    """Checkpoints at which a run may be judged saturated."""
    return course.grid.at >= policy.min_tokens / policy.horizon_tokens - FLOATS


class _Found(Protocol):
    @property
    def design(self) -> Design: ...
    @property
    def share(self) -> float: ...


F = TypeVar("F", bound=_Found)


def cheapest(powers: Sequence[F]) -> F | None:
    """The design with the fewest samples that is enough; None if none is."""
    enough = [one for one in powers if one.share >= ENOUGH]
    return min(enough, key=lambda one: one.design.samples, default=None)
