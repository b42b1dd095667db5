"""Metrics of the verdict and the forecast."""

from typing import get_args

from lccp.api.objects.verdict import Answer, Budget, VerdictState
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.metric import RunMetric, Samples, of_verdict, one_hot

ANSWERS: tuple[str, ...] = get_args(Answer)
BUDGETS: tuple[str, ...] = get_args(Budget)


def _states(facts: ExportedFacts) -> Samples:
    state = facts.judged.state if facts.judged else VerdictState.UNDETERMINED
    return one_hot(VerdictState, state)


def _budgets(facts: ExportedFacts) -> Samples:
    forecast = facts.judged.forecast if facts.judged else None
    budget = forecast.budget if forecast else "Unknown"
    return [((each,), float(each == budget)) for each in BUDGETS]


def _answers(facts: ExportedFacts) -> Samples:
    answer = facts.judged.gate if facts.judged else None
    return [((each,), float(each == answer)) for each in ANSWERS] if answer else []


VERDICT = (
    RunMetric(
        "lccp_verdict",
        "1 for the verdict's state, 0 for the others.",
        _states,
        ("state",),
        most=len(VerdictState),
    ),
    RunMetric(
        "lccp_verdict_since_tokens",
        "Tokens of the checkpoint since which the verdict holds.",
        of_verdict(lambda verdict: verdict.since_tokens),
    ),
    RunMetric(
        "lccp_reports_excluded",
        "Reports, or parts of them, that can't be compared with the others and are excluded from "
        "the verdict.",
        of_verdict(lambda verdict: float(verdict.excluded)),
    ),
    RunMetric(
        "lccp_min_gain",
        "Minimum gain of the policy's signal over one horizon that pays.",
        of_verdict(lambda verdict: verdict.policy.delta(verdict.policy.signal)),
    ),
    RunMetric(
        "lccp_horizon_tokens",
        "Horizon of the verdict, tokens.",
        of_verdict(lambda verdict: verdict.policy.horizon_tokens),
    ),
    RunMetric(
        "lccp_forecast_tokens",
        "Token count from which training is expected to no longer pay; absent while unknown.",
        of_verdict(lambda verdict: verdict.forecast.tokens if verdict.forecast else None),
    ),
    RunMetric(
        "lccp_forecast_budget",
        "1 for whether the budget reaches that point (Sufficient, Insufficient, Unknown), 0 for "
        "the others.",
        _budgets,
        ("budget",),
        most=len(BUDGETS),
    ),
    RunMetric(
        "lccp_gate",
        "1 for the gate's answer at the newest checkpoint (Yes, No, Undecided), 0 for the "
        "others; absent without a gate.",
        _answers,
        ("answer",),
        most=len(ANSWERS),
    ),
)
