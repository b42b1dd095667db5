"""The law PPL = A ln N + B over the trained tokens N."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy.special import stdtr, stdtrit

from lccp.analysis.rules.grid import Array
from lccp.analysis.rules.noise import effective_count
from lccp.contract.errors import InvalidInput

FEWEST = 4


@dataclass(frozen=True)
class LogLaw:
    """A least-squares fit of PPL against ln N, as a line through its centroid.

    Of one run, or of many at once: PPL is [..., K], derived values are [...].
    """

    centred: Array
    """[K]: ln N less its mean."""
    log_tokens: float
    """Mean of ln N."""
    ppl: Array
    """[..., K]"""

    @classmethod
    def fit(cls, tokens: Array, ppl: Array) -> Self:
        """The law over checkpoints at `tokens` [K] > 0, at least four.

        Raises:
            InvalidInput: there are fewer.
        """
        if len(tokens) < FEWEST:
            raise InvalidInput(
                f"a log law needs at least {FEWEST} trained checkpoints, not {len(tokens)}"
            )
        x = np.log(tokens)
        return cls(x - x.mean(), float(x.mean()), ppl)

    @cached_property
    def spread(self) -> float:
        """Σ (ln N - its mean)²."""
        return float(self.centred @ self.centred)

    @cached_property
    def level(self) -> Array:
        """Mean PPL: the law holds it at the mean of ln N whatever its slope."""
        mean: Array = self.ppl.mean(axis=-1)
        return mean

    @cached_property
    def slope(self) -> Array:
        """A, PPL per e-fold of tokens; negative while PPL falls."""
        slope: Array = self.ppl @ self.centred / self.spread
        return slope

    @cached_property
    def residuals(self) -> Array:
        """[..., K]"""
        residuals: Array = self.ppl - self.at(np.exp(self.centred + self.log_tokens))
        return residuals

    @cached_property
    def degrees(self) -> Array:
        """Of freedom: the number of independent checkpoints the residuals are worth, less two."""
        e = self.residuals
        products = (e[..., 1:] * e[..., :-1]).sum(axis=-1)
        return np.maximum(effective_count(e.shape[-1], self._squares, products) - 2, 0.2)

    @cached_property
    def noise(self) -> Array:
        """Variance of the slope times `spread`, or of the level times the checkpoints."""
        return self._squares / self.degrees

    @cached_property
    def r_squared(self) -> Array:
        """Share of the variance that the law explains; 1 of values that are all equal."""
        total = ((self.ppl - self.level[..., None]) ** 2).sum(axis=-1)
        return np.where(total > 0, 1 - self._squares / np.where(total > 0, total, 1.0), 1.0)

    @cached_property
    def bend_probability(self) -> Array:
        """Probability of as large a quadratic term in ln N under the law; small: it bends away."""
        square = self.centred**2 - (self.centred**2).mean()
        square = square - square @ self.centred / self.spread * self.centred
        term = self.ppl @ square / (square @ square)
        rest = self._squares - term**2 * (square @ square)
        degrees = len(self.centred) - 3
        error = np.sqrt(np.maximum(rest, np.finfo(float).tiny) / degrees / (square @ square))
        probability: Array = 2 * stdtr(degrees, -np.abs(term) / error)
        return probability

    def at(self, tokens: Array) -> Array:
        """The law's PPL [..., N] at `tokens` [N]."""
        distance = np.log(tokens) - self.log_tokens
        value: Array = self.level[..., None] + self.slope[..., None] * distance
        return value

    def slope_interval(self, confidence: float) -> tuple[Array, Array]:
        """Ends of A's interval, each exceeded with 1 - `confidence`."""
        half = stdtrit(self.degrees, confidence) * np.sqrt(self.noise / self.spread)
        return self.slope - half, self.slope + half

    @cached_property
    def _squares(self) -> Array:
        squares: Array = (self.residuals**2).sum(axis=-1)
        return squares
