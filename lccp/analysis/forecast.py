"""When training is expected to stop paying, by the log law of a perplexity."""

import math

from lccp.analysis.judged import grid_of
from lccp.analysis.laws.stopping import FEWEST, stopping
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Budget, Forecast, Gain, GainState, VerdictState
from lccp.contract.signals import Better, Scale

LONGEST = 1e3
"""Budgets, or runs so far, beyond which nothing is forecast."""
UNKNOWN = Forecast()


def forecast(series: Series, policy: Policy, state: VerdictState, gain: Gain | None) -> Forecast:
    """The tokens from which the relative gain over the next horizon is below the least that pays.

    Unknown for a signal that is not a perplexity, fewer than eight fitted checkpoints, a decaying
    learning rate, a course that bends away from the law, a law that does not fall, or one that the
    newest `gain` contradicts.
    """
    expected = _by_law(series, policy) if policy.constant_schedule else UNKNOWN
    if _contradicts(expected, gain, int(series.tokens[-1]), policy):
        expected = UNKNOWN
    budget = _budget(expected, state, policy.budget_tokens)
    return expected.model_copy(update={"budget": budget})


def _by_law(series: Series, policy: Policy) -> Forecast:
    fitted = series.at(series.fitted(policy.warmup_tokens))
    is_perplexity = (series.signal.scale, series.signal.better) == (Scale.LOG, Better.LOWER)
    if not is_perplexity or len(fitted.tokens) < FEWEST:
        return UNKNOWN
    clusters = {kind: -means.T for kind, means in fitted.clusters.items()}
    delta = policy.delta(series.signal.name)
    horizons = grid_of(fitted.tokens, policy).at
    found = stopping(horizons, -fitted.values, clusters, delta, policy.confidence)
    if not found.known:
        return UNKNOWN
    first, newest = int(fitted.tokens[0]), int(fitted.tokens[-1])
    longest = LONGEST * max(policy.budget_tokens or 0, newest)
    at, half = float(found.log_at) + math.log(policy.horizon_tokens), float(found.half)
    ends = [_tokens(end, first, longest) for end in (at, at - half, at + half)]
    return Forecast(tokens=ends[0], lower=ends[1], upper=ends[2])


def _tokens(log_tokens: float, first: int, longest: float) -> int | None:
    if log_tokens > math.log(longest):
        return None
    return max(first, math.ceil(math.exp(log_tokens)))


def _contradicts(expected: Forecast, gain: Gain | None, now: int, policy: Policy) -> bool:
    """The newest gain surely pays after the law's end, or is on a plateau before that end."""
    if gain is None:
        return False
    still_pays = gain.lower >= policy.delta(gain.signal)
    over = expected.upper is not None and expected.upper <= now
    later = expected.lower is not None and expected.lower > now
    return (still_pays and over) or (gain.state is GainState.PLATEAU and later)


def _budget(expected: Forecast, state: VerdictState, budget_tokens: int | None) -> Budget:
    if budget_tokens is None or state is VerdictState.REGRESSING:
        return "Unknown"
    if state is VerdictState.SATURATED:
        return "Sufficient"
    if expected.upper is not None and expected.upper <= budget_tokens:
        return "Sufficient"
    late = expected.lower is not None and expected.lower > budget_tokens
    return "Insufficient" if late else "Unknown"
