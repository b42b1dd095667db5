"""How many plateaus are judged Saturated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from lccp.analysis.power.designs import Design
from lccp.analysis.power.outcomes import Plateaus, Simulated
from lccp.analysis.simulation import Noise

WITHIN_HORIZONS = 4.0


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

    @classmethod
    def of(cls, plateaus: Plateaus) -> Self:
        """By simulated plateaus."""
        after = plateaus.saturated_after
        return cls(
            design=plateaus.design,
            within=float((after <= WITHIN_HORIZONS + 1e-9).mean()),
            whole=float(np.isfinite(after).mean()),
            median_horizons=float(np.median(after)),
        )

    @property
    def share(self) -> float:
        """By which a design is enough."""
        return self.within


@dataclass(frozen=True)
class SignalPower:
    """How well designs see a plateau of one signal."""

    signal: str
    noise: Noise
    powers: Sequence[Power]
    """Of the plan, which comes first, and of others of its length."""

    @classmethod
    def of(cls, signal: str, simulated: Simulated) -> Self:
        """By simulated plateaus."""
        return cls(signal, simulated.noise, [Power.of(one) for one in simulated.plateaus])
