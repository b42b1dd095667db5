"""Finds steps that stand out: loss and gradient norm against those of the steps before."""

import math
import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, Self

WINDOW = 128
"""Steps that a step is compared with."""
FEWEST = 32
"""Steps needed before any can stand out."""
DEVIATIONS = 8.0
"""Robust standard deviations above the median at which a step stands out."""
NORMAL = 1.4826
"""Standard deviation of a normal distribution, in median absolute deviations."""
LEAST_SPREAD = 0.01
"""Least deviation that is assumed, as a share of the median: a flat loss has no spikes."""

Signal = Literal["Loss", "GradientNorm"]


@dataclass(frozen=True)
class Outlier:
    """A value that stands out."""

    signal: Signal
    value: float
    median: float


@dataclass
class Typical:
    """The values of the steps before, without those that stood out."""

    signal: Signal
    _values: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def outlier(self, value: float) -> Outlier | None:
        """`value`, if it stands out: above the median by many median absolute deviations."""
        if len(self._values) < FEWEST:
            return None
        median = statistics.median(self._values)
        spread = NORMAL * statistics.median(abs(v - median) for v in self._values)
        bound = median + DEVIATIONS * max(spread, LEAST_SPREAD * abs(median))
        return Outlier(self.signal, value, median) if value > bound else None

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(self._values)

    def add(self, value: float) -> None:
        """Count a value that did not stand out."""
        if math.isfinite(value):
            self._values.append(value)


@dataclass
class Guard:
    """Watches loss and gradient norm. All ranks see the same values, so all decide alike."""

    loss: Typical = field(default_factory=lambda: Typical("Loss"))
    norm: Typical = field(default_factory=lambda: Typical("GradientNorm"))

    @classmethod
    def of(cls, typical: tuple[tuple[float, ...], tuple[float, ...]]) -> Self:
        """A guard that has seen these losses and gradient norms."""
        guard = cls()
        for known, values in zip((guard.loss, guard.norm), typical, strict=True):
            for value in values:
                known.add(value)
        return guard

    @property
    def typical(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The values that it compares with, for `of`."""
        return self.loss.values, self.norm.values

    def watch(self, loss: float, norm: float | None) -> Outlier | None:
        """The outlier of a finished step, if it is one; otherwise the step counts as typical."""
        found = self.loss.outlier(loss) or (self.norm.outlier(norm) if norm is not None else None)
        if found is None and norm is not None:
            self.loss.add(loss)
            self.norm.add(norm)
        return found
