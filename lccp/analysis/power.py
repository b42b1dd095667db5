"""Which clusters of samples and checkpoints a run needs to see a plateau, by simulated runs.

A plateau (no gain at all) is simulated with noise like the run's own, or as stated, and judged by
the shipped rules. Gains and noise are in units of the least gain that pays, tokens in horizons.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from lccp.analysis.judged import grid_of
from lccp.analysis.rules.course import Course
from lccp.analysis.rules.gains import FEWEST
from lccp.analysis.rules.grid import FLOATS, Array, Grid
from lccp.analysis.rules.lines import Lines
from lccp.analysis.rules.measure import Measure
from lccp.analysis.rules.noise import recent_differences
from lccp.analysis.simulation import FOLLOWS, SCATTER, Jitter, SimulatedClusters, simulated
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.contract.errors import InvalidInput
from lccp.probes.probe import ClusterKind

WITHIN_HORIZONS = 4.0
ENOUGH = 0.8
"""A design is enough if it sees at least this share of plateaus within four horizons."""
OWN_SLOPES = 0.5
"""How much clusters drift apart on a plateau, as a share of their drift where the gain is δ."""
DENSITIES = (2.5, 5.0, 10.0)
RUNS = 200
MOST_CLUSTERS = 200
"""Of a kind, that are simulated: what more of them take from the noise is negligible."""


@dataclass(frozen=True)
class Noise:
    """What hides a plateau, in units of the least gain that pays."""

    jitter: float
    """Standard deviation between checkpoints."""
    slopes: Mapping[str, float]
    """By kind of cluster: standard deviation of the clusters' own slopes a horizon."""
    scatter: Mapping[str, float]
    """By kind of cluster: standard deviation of each cluster's own scatter at a checkpoint."""

    @classmethod
    def stated(cls, jitter: float, kinds: Sequence[ClusterKind]) -> Self:
        """With clusters that differ like the demo's, by what their samples share."""
        return cls(
            jitter,
            {kind.name: OWN_SLOPES * FOLLOWS[kind.share] for kind in kinds},
            {kind.name: SCATTER[kind.share] for kind in kinds},
        )

    @classmethod
    def of(cls, series: Series, policy: Policy) -> Self:
        """As the last two horizons of a run's `series` show it.

        Raises:
            InvalidInput: fewer than three checkpoints lie beyond the warm-up.
        """
        fitted = series.at(series.fitted(policy.warmup_tokens))
        if len(fitted.tokens) < FEWEST:
            raise InvalidInput(
                f"{series.signal.name}: its noise needs {FEWEST} checkpoints beyond the warm-up, "
                f"not {len(fitted.tokens)}: state a guess instead"
            )
        grid, delta = grid_of(fitted.tokens, policy), policy.delta(series.signal.name)
        whole, slopes, scatter = _square(grid, fitted.values / delta), {}, {}
        for kind, means in fitted.clusters.items():
            count = means.shape[1]
            if count > 1:
                own = (means - means.mean(axis=1, keepdims=True)).T / delta
                square = float(_square(grid, own).sum()) / (count - 1)
                slopes[kind], scatter[kind] = _own_slopes(grid, own, square), math.sqrt(square)
                whole = whole - square / count
        return cls(math.sqrt(max(0.0, float(whole))), slopes, scatter)


def _square(grid: Grid, values: Array) -> Array:
    """[...]: variance from checkpoint to checkpoint over the last two horizons."""
    mean, _ = recent_differences(grid, values)
    newest: Array = mean[..., -1]
    return newest


def _own_slopes(grid: Grid, own: Array, square: float) -> float:
    """Standard deviation of the clusters' slopes, without the part due to their scatter."""
    line = Lines.fit(grid, own, grid.window(2, FEWEST))
    spread = float(line.slope[:, -1].var(ddof=1)) - square / float(line.squares[-1])
    return math.sqrt(max(0.0, spread))


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
class Power:
    """How well a design sees a plateau."""

    design: Design
    within: float
    """Share of plateaus that are Saturated within four horizons of the first checkpoint."""
    whole: float
    """The same, until the end of the budget."""
    median_horizons: float
    """Until Saturated; infinite where most never are."""


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


def power(design: Design, noise: Noise, policy: Policy, runs: int = RUNS, seed: int = 0) -> Power:
    """By `runs` simulated plateaus."""
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
    allowed = at >= policy.min_tokens / policy.horizon_tokens - FLOATS
    said = Course.of(grid, values, clusters, measure).saturated(allowed)
    found = said.any(axis=1)
    first = np.where(found, at[said.argmax(axis=1)] - at[0], np.inf)
    return Power(
        design=design,
        within=float((first <= WITHIN_HORIZONS + 1e-9).mean()),
        whole=float(found.mean()),
        median_horizons=float(np.median(first)),
    )


def cheapest(powers: Sequence[Power]) -> Power | None:
    """The design with the fewest samples that is enough; None if none is."""
    enough = [one for one in powers if one.within >= ENOUGH]
    return min(enough, key=lambda one: one.design.samples, default=None)


@dataclass(frozen=True)
class SignalPower:
    """How well designs see a plateau of one signal."""

    signal: str
    noise: Noise
    powers: Sequence[Power]
    """Of the plan, which comes first, and of others of its length."""

    @classmethod
    def of(
        cls,
        signal: str,
        planned: Design,
        noise: Noise,
        policy: Policy,
        fixed: Collection[str] = (),
    ) -> Self:
        """By simulated plateaus; kinds of clusters that are `fixed` are not varied."""
        powers = [power(one, noise, policy) for one in designs(planned, fixed)]
        return cls(signal, noise, powers)
