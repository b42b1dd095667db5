"""The law PPL = A ln N + B over the tokens N that were trained."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from lccp.analysis import student
from lccp.analysis.trajectory import Array, Tokens
from lccp.contract.errors import InvalidInput

FEWEST = 4


@dataclass(frozen=True)
class LogLaw:
    """A least-squares fit of PPL against ln N, as a line through its centroid."""

    slope: float
    """A, PPL per e-fold of tokens; negative while PPL falls."""
    slope_interval: tuple[float, float]
    """Student's t, n - 2 degrees of freedom, at the confidence asked for on each side."""
    leave_one_out: tuple[float, float]
    """Least and greatest A with one checkpoint left out."""
    log_tokens: float
    """Mean of ln N."""
    ppl: float
    """Mean PPL: the law holds it at `log_tokens` whatever its slope."""
    r_squared: float
    runs_p: float
    """Probability of as few runs of the residuals' signs by chance; small: the law bends away."""
    checkpoints: int

    @classmethod
    def fit(cls, tokens: Tokens, ppl: Array, confidence: float) -> Self:
        """The law over checkpoints at `tokens` > 0, at least four.

        Raises:
            InvalidInput: there are fewer.
        """
        if len(tokens) < FEWEST:
            raise InvalidInput(
                f"a log law needs at least {FEWEST} trained checkpoints, not {len(tokens)}"
            )
        x, y = np.log(tokens), ppl - ppl.mean()
        x = x - x.mean()
        slope = _slope(x, ppl)
        residuals = y - slope * x
        degrees = len(x) - 2
        error = math.sqrt(float(residuals @ residuals) / degrees / float(x @ x))
        half = student.quantile(confidence, degrees) * error
        others = [_slope(np.delete(x, i), np.delete(ppl, i)) for i in range(len(x))]
        return cls(
            slope=slope,
            slope_interval=(slope - half, slope + half),
            leave_one_out=(min(others), max(others)),
            log_tokens=float(np.log(tokens).mean()),
            ppl=float(ppl.mean()),
            r_squared=1 - float(residuals @ residuals) / float(y @ y) if y.any() else 1.0,
            runs_p=runs_probability(residuals > 0),
            checkpoints=len(x),
        )

    @property
    def intercept(self) -> float:
        """B, the law's PPL at one token."""
        return self.at(1)

    def at(self, tokens: float, slope: float | None = None) -> float:
        """The law's PPL at `tokens`; with another `slope` through the same centroid if given."""
        used = self.slope if slope is None else slope
        return self.ppl + used * (math.log(tokens) - self.log_tokens)


def _slope(x: Array, y: Array) -> float:
    centred = x - x.mean()
    return float(centred @ y) / float(centred @ centred)


def runs_probability(signs: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Exact lower tail of the runs test (Wald and Wolfowitz, Ann. Math. Statist. 11, 1940)."""
    positive = int(signs.sum())
    negative = len(signs) - positive
    if not positive or not negative:
        return 1.0
    runs = 1 + int((signs[1:] != signs[:-1]).sum())
    ways = sum(_arrangements(positive, negative, r) for r in range(2, runs + 1))
    return ways / math.comb(len(signs), positive)


def _arrangements(positive: int, negative: int, runs: int) -> int:
    """Orders of the signs that make exactly `runs` >= 2 runs."""
    half, odd = divmod(runs, 2)
    if not odd:
        return 2 * math.comb(positive - 1, half - 1) * math.comb(negative - 1, half - 1)
    return math.comb(positive - 1, half) * math.comb(negative - 1, half - 1) + math.comb(
        positive - 1, half - 1
    ) * math.comb(negative - 1, half)
