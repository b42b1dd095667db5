"""Which signals move together along a run: Pearson, Spearman, levels and first differences.

Two signals that both level off correlate whether or not they have anything to do with each other:
the trained tokens move both. So levels only describe; first differences show more: whether one
moves when the other does. Those of smooth, steadily rising curves slow down together, too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations
from statistics import NormalDist
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lccp.analysis.policy import names_of
from lccp.analysis.possible import probe_of
from lccp.analysis.rules.grid import Array
from lccp.analysis.trajectory import oriented
from lccp.api.objects.verdict import Verdict
from lccp.contract.base import Contract
from lccp.contract.signals import Role, Signal
from lccp.probes.statistics.head_scores import average_ranks

COVERAGE = 0.95
FEWEST = 5
"""Checkpoints, so that there are four first differences, the fewest with a Fisher interval."""
FEW = 10
EXACT_MAX = 8
"""Pairs of values up to which all permutations are counted: 40,320 of them."""
TOLERANCE = 1e-9


class Association(Contract):
    """How two signals move together over pairs of values, oriented so that rising is better."""

    n: Annotated[int, Field(description="Pairs of values.")]
    pearson: Annotated[float, Field(description="Product-moment correlation.")]
    interval: Annotated[tuple[float, float], Field(description="Its 95 % interval, by Fisher's z.")]
    spearman: Annotated[float, Field(description="Correlation of the ranks; ties share theirs.")]
    p: Annotated[
        float,
        Field(
            description="Two-sided, of as large a rank correlation without any association: over "
            f"all permutations up to {EXACT_MAX} pairs, by Student's t beyond."
        ),
    ]
    p_adjusted: Annotated[
        float, Field(description="The same by Holm, over all pairs of signals of the table.")
    ]


class Correlation(Contract):
    """Two signals along a run, over the checkpoints at which both were measured."""

    first: Annotated[Signal, Field(description="That the verdict is about, or its ceiling.")]
    second: Annotated[Signal, Field(description="Any other.")]
    levels: Annotated[Association, Field(description="Of the values themselves.")]
    differences: Annotated[
        Association | None,
        Field(description="Of the first differences; none: one of the two moved only evenly."),
    ] = None


class Correlations(Contract):
    """The table, pairs whose first differences are most clearly associated first."""

    pairs: Annotated[tuple[Correlation, ...], Field(description="By pair of signals.")]
    notes: Annotated[
        tuple[str, ...], Field(description="What a reader must know, one sentence each.")
    ] = ()


def correlations(verdict: Verdict) -> Correlations:
    """The primary and ceiling signals of a run against each other and those of other probes.

    Other pairs within one probe are left out: they come from the same samples. So are checkpoints
    up to the end of the warm-up, and pairs with fewer than five common checkpoints, or where one
    signal never moved.
    """
    series = {signal.name: _series(signal, verdict) for signal in verdict.signals}
    found = []
    for first, second in _pairs(verdict):
        both = sorted(series[first.name].keys() & series[second.name].keys())
        x, y = (np.array([series[one.name][at] for at in both]) for one in (first, second))
        levels = association(x, y) if len(both) >= FEWEST else None
        if levels is not None:
            differences = association(np.diff(x), np.diff(y))
            pair = Correlation(first=first, second=second, levels=levels, differences=differences)
            found.append(pair)
    pairs = sorted(_adjusted(found), key=_clearest_first)
    return Correlations(pairs=tuple(pairs), notes=tuple(_notes(pairs)))


def association(x: Array, y: Array) -> Association | None:
    """Of pairs of values [n], n >= 4; None where x or y does not vary."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    n, pearson, ranks = len(x), _product_moment(x, y), (average_ranks(x), average_ranks(y))
    spearman = _product_moment(*ranks)
    p = _exact(*ranks) if n <= EXACT_MAX else _by_student(spearman, n)
    return Association(
        n=n, pearson=pearson, interval=_fisher(pearson, n), spearman=spearman, p=p, p_adjusted=p
    )


def holm(p: Sequence[float]) -> list[float]:
    """p-values of a family, adjusted: reject those <= α, and with 1 - α no true one is rejected.

    Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, highest = [1.0] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted


def _pairs(verdict: Verdict) -> Iterator[tuple[Signal, Signal]]:
    leading = dict.fromkeys(
        [*verdict.policy.signals, *names_of(Role.CEILING, verdict.signals, verdict.policy)]
    )
    firsts = [one for name in leading if (one := verdict.declared(name)) is not None]
    for i, first in enumerate(firsts):
        earlier = {one.name for one in firsts[: i + 1]}
        for second in verdict.signals:
            if second.name not in earlier and (second in firsts or _apart(first, second)):
                yield first, second


def _apart(first: Signal, second: Signal) -> bool:
    """They are of two probes; a signal that no probe measures is apart from all."""
    probe = probe_of(first.name)
    return probe is None or probe != probe_of(second.name)


def _series(signal: Signal, verdict: Verdict) -> Mapping[int, float]:
    """Oriented values by tokens, of the checkpoints that are trained and beyond the warm-up."""
    known = {
        one.tokens: one.values[signal.name]
        for one in verdict.checkpoints
        if signal.name in one.values and one.tokens > max(0, verdict.policy.warmup_tokens)
    }
    values = oriented(signal, np.array(list(known.values()), dtype=float))
    return dict(zip(known, values.tolist(), strict=True))


def _product_moment(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    # Scaled first: squares of very small numbers are 0 in a float.
    x, y = x / np.abs(x).max(), y / np.abs(y).max()
    return float(np.clip(x @ y / math.sqrt((x @ x) * (y @ y)), -1, 1))


def _fisher(pearson: float, n: int) -> tuple[float, float]:
    """Ends of the interval: arctanh r is normal with a variance of 1 / (n - 3)."""
    half = NormalDist().inv_cdf((1 + COVERAGE) / 2) / math.sqrt(n - 3)
    z = math.atanh(max(-1 + TOLERANCE, min(1 - TOLERANCE, pearson)))
    return math.tanh(z - half), math.tanh(z + half)


def _exact(x: Array, y: Array) -> float:
    """Share of permutations of y whose correlation with x is as large, on either side."""
    x, y = x - x.mean(), y - y.mean()
    sums = np.abs(y[_permutations(len(y))] @ x)
    return float((sums >= abs(x @ y) - TOLERANCE).mean())


@cache
def _permutations(n: int) -> NDArray[np.int8]:
    """All of n: [n!, n]."""
    return np.array(list(permutations(range(n))), dtype=np.int8)


def _by_student(spearman: float, n: int) -> float:
    """ρ √((n - 2) / (1 - ρ²)) is about Student's t; no order is rarer than 2 / n!."""
    from scipy.special import stdtr

    rest = max(1 - spearman**2, np.finfo(float).eps)
    p = 2 * float(stdtr(n - 2, -abs(spearman) * math.sqrt((n - 2) / rest)))
    return max(p, 2 * math.exp(-math.lgamma(n + 1)))


def _adjusted(pairs: Sequence[Correlation]) -> Iterator[Correlation]:
    """By Holm: the levels are a family, and the differences are another."""
    levels = iter(holm([pair.levels.p for pair in pairs]))
    differences = iter(holm([pair.differences.p for pair in pairs if pair.differences]))
    for pair in pairs:
        known = pair.differences and _with(pair.differences, next(differences))
        yield pair.model_copy(
            update={"levels": _with(pair.levels, next(levels)), "differences": known}
        )


def _with(one: Association, p_adjusted: float) -> Association:
    return one.model_copy(update={"p_adjusted": p_adjusted})


def _clearest_first(pair: Correlation) -> tuple[float, float]:
    return pair.differences.p if pair.differences else 1.0, pair.levels.p


def _notes(pairs: Sequence[Correlation]) -> Iterator[str]:
    if not pairs:
        yield f"No two signals have {FEWEST} checkpoints in common at which both vary."
        return
    yield (
        "Signals that level off together correlate by that alone, and a little by their first "
        "differences, too."
    )
    fewest = min(pair.levels.n for pair in pairs)
    if fewest < FEW:
        yield (
            f"Some pairs have {fewest} checkpoints: below {FEW} a correlation says next to nothing."
        )
