"""Student's t for fractional degrees of freedom.

The distribution function is a regularised incomplete beta function, evaluated by its continued
fraction (NIST DLMF 8.17.22) with the modified Lentz algorithm (Thompson and Barnett, J. Comput.
Phys. 64, 1986). The quantile is found by Newton's method on the logarithm of the upper tail.
"""

import math
from itertools import count

EPSILON = 1e-16
TINY = 1e-300
STIRLING_FROM = 50.0


def cdf(t: float, degrees: float) -> float:
    """Probability that a t variable with `degrees` > 0 degrees of freedom is at most `t`."""
    return upper_tail(-t, degrees) if t < 0 else 1.0 - upper_tail(t, degrees)


def upper_tail(t: float, degrees: float) -> float:
    """Probability that a t variable exceeds `t`; accurate far into the tail.

    Raises:
        ValueError: `degrees` is not a positive number.
    """
    if not 0 < degrees < math.inf:
        raise ValueError(f"degrees of freedom must be positive and finite, not {degrees}")
    if t < 0:
        return 1.0 - upper_tail(-t, degrees)
    if t == 0:
        return 0.5
    a, ratio = degrees / 2, t * t / degrees
    log_x, log_y = -math.log1p(ratio), -math.log1p(1 / ratio)
    log_front = a * log_x + 0.5 * log_y + _log_gamma_ratio(a) - 0.5 * math.log(math.pi)
    x, y = math.exp(log_x), math.exp(log_y)
    if x < (a + 1) / (a + 2.5):
        return 0.5 * math.exp(log_front) / a * _beta_fraction(a, 0.5, x)
    return 0.5 - math.exp(log_front) * _beta_fraction(0.5, a, y)


def density(t: float, degrees: float) -> float:
    """Density of a t variable at `t`."""
    log_peak = _log_gamma_ratio(degrees / 2) - 0.5 * math.log(math.pi * degrees)
    return math.exp(log_peak - 0.5 * (degrees + 1) * math.log1p(t * t / degrees))


def quantile(probability: float, degrees: float) -> float:
    """The t that a variable with `degrees` degrees of freedom exceeds with 1 - `probability`.

    Raises:
        ValueError: `probability` is not between 0 and 1, or `degrees` not a positive number.
    """
    if not 0 < probability < 1:
        raise ValueError(f"a probability must lie between 0 and 1, not {probability}")
    if probability < 0.5:
        return -_tail_quantile(probability, degrees)
    return _tail_quantile(1.0 - probability, degrees)


def _tail_quantile(tail: float, degrees: float) -> float:
    """The t >= 0 with `tail` <= 0.5 above it; t = sinh(s) is solved for s between bounds."""
    low, high, s = 0.0, math.inf, 0.0
    for _ in range(100):
        t = math.sinh(s)
        above = upper_tail(t, degrees)
        low, high = (s, high) if above > tail else (low, s)
        slope = -density(t, degrees) * math.cosh(s)
        newton = s - math.log(above / tail) * above / slope if above > 0 > slope else math.nan
        following = newton if low <= newton <= high else 0.5 * (low + high)
        if abs(following - s) <= 1e-13 * s:
            break
        s = following
    return math.sinh(s)


def _log_gamma_ratio(a: float) -> float:
    """log Γ(a + 1/2) - log Γ(a); for large `a` by Stirling's series, DLMF 5.11.8."""
    if a < STIRLING_FROM:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    square = 1 / (a * a)
    return 0.5 * math.log(a) - (1 / 8 - square * (1 / 192 - square / 640)) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), without the factor x^a (1-x)^b / (a B(a, b))."""
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in count(1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1.0 / _nonzero(1.0 + numerator * d)
            c = _nonzero(1.0 + numerator / c)
            fraction *= c * d
        if abs(c * d - 1.0) <= EPSILON or m > 100_000:
            break
    return fraction


def _nonzero(value: float) -> float:
    return value if abs(value) > TINY else TINY
