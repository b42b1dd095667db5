"""When training is expected to stop paying, by the log law of a perplexity."""

import math
from functools import partial

from lccp.analysis.loglaw import FEWEST, LogLaw
from lccp.analysis.trajectory import Series, in_its_unit
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Budget, Forecast, Gain, GainState, VerdictState
from lccp.contract.signals import Better, Scale

BENDS_AWAY = 0.05
"""Probability of the runs test below which the law is not believed."""
UNKNOWN = Forecast()


def forecast(series: Series, policy: Policy, state: VerdictState, gain: Gain | None) -> Forecast:
    """The tokens from which the relative gain over the next horizon is below the least that pays.

    Unknown where it cannot be said: a signal that is no perplexity, fewer than four fitted
    checkpoints, a learning rate that decays, residuals that bend away from the law, no law that
    falls, or a law that the newest `gain` contradicts. A saturated run has budget enough whatever
    the law says.
    """
    fitted = series.at(series.fitted(policy.warmup_tokens))
    expected = UNKNOWN
    falls = (series.signal.scale, series.signal.better) == (Scale.LOG, Better.LOWER)
    if falls and len(fitted.tokens) >= FEWEST and policy.constant_schedule:
        tokens, ppl = fitted.tokens, in_its_unit(series.signal, fitted.values)
        law = LogLaw.fit(tokens, ppl, policy.confidence)
        if law.slope < 0 and law.runs_p >= BENDS_AWAY:
            expected = _by_law(law, policy, int(tokens[0]))
    if _contradicts(expected, gain, int(series.tokens[-1]), policy):
        expected = UNKNOWN
    budget = _budget(expected, state, policy.budget_tokens)
    return expected.model_copy(update={"budget": budget})


def _by_law(law: LogLaw, policy: Policy, first: int) -> Forecast:
    stops = partial(_stops_paying, law, policy)
    steep, flat = law.slope_interval
    tokens, lower, upper = stops(law.slope), stops(flat), stops(steep)
    earliest = first if lower is None else max(first, lower)
    return Forecast(
        tokens=None if tokens is None else max(first, tokens),
        lower=None if tokens is None else earliest,
        upper=None if tokens is None or upper is None else max(first, upper),
        budget="Unknown",
    )


def _stops_paying(law: LogLaw, policy: Policy, slope: float) -> int | None:
    """The N at which -A ln(1 + T/N) = δ PPL(N); None if the law does not get there above PPL 1.

    The difference of both sides falls with N up to T (1/δ - 1), where the root is sought.
    """
    horizon, least = policy.horizon_tokens, policy.min_gain

    def excess(log_n: float) -> float:
        n = math.exp(log_n)
        return -slope * math.log1p(horizon / n) - least * law.at(n, slope)

    low, high = 0.0, math.log(horizon * (1 / least - 1))
    if slope >= 0 or not excess(low) > 0 > excess(high):
        return None
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    tokens = math.exp(high)
    return math.ceil(tokens) if law.at(tokens, slope) >= 1 else None


def _contradicts(expected: Forecast, gain: Gain | None, now: int, policy: Policy) -> bool:
    """The newest gain surely pays after the law's end, or is on a plateau before it."""
    if gain is None or expected.tokens is None:
        return False
    still_pays = gain.lower >= policy.min_gain
    over = expected.upper is not None and expected.upper <= now
    return (still_pays and over) or (
        gain.state is GainState.PLATEAU and expected.lower is not None and expected.lower > now
    )


def _budget(expected: Forecast, state: VerdictState, budget_tokens: int | None) -> Budget:
    if state is VerdictState.SATURATED:
        return "Sufficient"
    if state is VerdictState.REGRESSING or budget_tokens is None or expected.tokens is None:
        return "Unknown"
    if expected.upper is not None and expected.upper <= budget_tokens:
        return "Sufficient"
    late = expected.lower is not None and expected.lower > budget_tokens
    return "Insufficient" if late else "Unknown"
