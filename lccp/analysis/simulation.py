"""Simulated runs: for the power of a plan, and for how often the verdict is wrong.

A signal is a true curve, plus jitter of the weights that all samples share, plus two effects of
each cluster: its own way of following the curve, all along the run, and a scatter that is new at
every checkpoint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lccp.analysis.rules.grid import Array


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
