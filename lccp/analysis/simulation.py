"""Simulated runs: for the power of a plan, and for how often the verdict is wrong.

A signal is a true curve, plus jitter of the weights that all samples share, plus two effects of
each cluster: its own way of following the curve, all along the run, and a scatter that is new at
every checkpoint.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from lccp.analysis.judged import grid_of
from lccp.analysis.rules.gains import FEWEST
from lccp.analysis.rules.grid import Array, Grid
from lccp.analysis.rules.lines import Lines
from lccp.analysis.rules.noise import recent_differences
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.contract.errors import InvalidInput
from lccp.probes.probe import ClusterKind


@dataclass(frozen=True)
class Jitter:
    """Noise between checkpoints, of standard deviation `sd`."""

    sd: float
    shape: Literal["Normal", "HeavyTails", "Growing"] = "Normal"
    """Student's t with three degrees of freedom has heavy tails; growing noise rises from half to
    one and a half `sd` along the run."""
    memory: float = 0.0
    """Coefficient of a first-order autoregression from checkpoint to checkpoint."""

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> Array:
        """[runs, K]"""
        if self.shape == "HeavyTails":
            drawn = rng.standard_t(3, shape) / np.sqrt(3)
        else:
            drawn = rng.normal(size=shape)
        for k in range(1, shape[1]) if self.memory else ():
            fresh = np.sqrt(1 - self.memory**2) * drawn[:, k]
            drawn[:, k] = self.memory * drawn[:, k - 1] + fresh
        growth = np.linspace(0.5, 1.5, shape[1]) if self.shape == "Growing" else 1.0
        jitter: Array = self.sd * growth * drawn
        return jitter


NOISES = {
    "normal": Jitter(1.0),
    "t3": Jitter(1.0, "HeavyTails"),
    "AR .5": Jitter(1.0, memory=0.5),
    "growing": Jitter(1.0, "Growing"),
}
"""Of standard deviation 1, by name."""
FOLLOWS = {"Text": 0.1, "Question": 0.3}
"""How clusters differ in following a curve, as a share of it, by what their samples share: the
demo's haystacks 0.06, its needles 0.31."""
SCATTER = {"Text": 0.3, "Question": 0.1}
"""A cluster's own scatter at a checkpoint, in units of the least gain that pays."""
OWN_SLOPES = 0.5
"""How much clusters drift apart on a plateau, as a share of their drift where the gain is δ."""


@dataclass(frozen=True)
class SimulatedClusters:
    """Clusters of one kind, crossed with those of the others."""

    count: int
    follows: float
    """Standard deviation of their own slopes, per horizon."""
    scatter: float
    """Standard deviation of each cluster's own scatter at a checkpoint."""

    def draw(self, at: Array, runs: int, rng: np.random.Generator) -> Array:
        """[runs, count, K]; a single cluster is the population that a run is about."""
        if self.count == 1:
            return np.zeros((runs, 1, len(at)))
        own = self.follows * rng.normal(size=(runs, self.count, 1)) * (at - at[0])
        drawn: Array = own + self.scatter * rng.normal(size=(runs, self.count, len(at)))
        return drawn


def simulated(
    at: Array,
    curve: Array,
    jitter: Jitter,
    kinds: Mapping[str, SimulatedClusters],
    runs: int,
    rng: np.random.Generator,
) -> tuple[Array, dict[str, Array]]:
    """Values [runs, K] at `at` horizons around `curve` [K] or [runs, K], and those by cluster."""
    own = {name: kind.draw(at, runs, rng) for name, kind in kinds.items()}
    values = curve + jitter.draw((runs, len(at)), rng)
    values += sum(drawn.mean(axis=1) for drawn in own.values())
    clusters = {
        name: values[:, None] + drawn - drawn.mean(axis=1, keepdims=True)
        for name, drawn in own.items()
    }
    return values, clusters


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
