"""How many plateaus are judged Saturated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from lccp.analysis.power.designs import Design, Planned, allowed, courses
from lccp.analysis.simulation import Noise
from lccp.api.objects.policy import Policy

WITHIN_HORIZONS = 4.0
RUNS = 200


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

    @property
    def share(self) -> float:
        """By which a design is enough."""
        return self.within


def power(design: Design, noise: Noise, policy: Policy, runs: int = RUNS, seed: int = 0) -> Power:
    """By `runs` simulated plateaus."""
    course = courses(design, noise, policy, runs, seed)
    at, said = course.grid.at, course.saturated(allowed(course, policy))
    found = said.any(axis=1)
    first = np.where(found, at[said.argmax(axis=1)] - at[0], np.inf)
    return Power(
        design=design,
        within=float((first <= WITHIN_HORIZONS + 1e-9).mean()),
        whole=float(found.mean()),
        median_horizons=float(np.median(first)),
    )


@dataclass(frozen=True)
class SignalPower:
    """How well designs see a plateau of one signal."""

    signal: str
    noise: Noise
    powers: Sequence[Power]
    """Of the plan, which comes first, and of others of its length."""

    @classmethod
    def of(cls, signal: str, planned: Planned, policy: Policy) -> Self:
        """By simulated plateaus."""
        powers = [power(one, planned.noise, policy) for one in planned.designs()]
        return cls(signal, planned.noise, powers)
