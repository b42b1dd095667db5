"""The policy of a run: made only here, and stored with every verdict."""

from collections.abc import Iterable, Sequence

from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Gain, GainState
from lccp.api.run import LCCPRun
from lccp.api.spec.saturation import horizon_of_budget
from lccp.contract.signals import Role, Signal

CEILING = 0.99
"""A ceiling signal from this share upwards is at its ceiling."""


def stands_still(value: float | None, gain: Gain | None) -> bool:
    """A ceiling signal with this newest value and gain is at its ceiling, or on a plateau."""
    plateau = gain is not None and gain.state is GainState.PLATEAU
    return (value is not None and value >= CEILING) or plateau


def holds_a_step(policy: Policy) -> bool:
    """A horizon is as long as a step, or longer."""
    return policy.horizon_tokens > policy.rounding_tokens


def may_saturate(policy: Policy) -> bool:
    """Any checkpoint may be judged Saturated: no rate decays, and a horizon holds a step."""
    return policy.constant_schedule and holds_a_step(policy)


def policy_of_run(run: LCCPRun) -> Policy:
    """The policy that `run` specifies."""
    saturation, schedule = run.spec.saturation, run.spec.schedule
    return Policy(
        signals=tuple(one.name for one in saturation.primaries),
        quorum=saturation.quorum,
        guards=saturation.guards,
        ceilings=saturation.ceilings,
        horizon_tokens=run.horizon_tokens,
        horizon_source="Given" if saturation.horizon_tokens else "Budget",
        min_gain=saturation.min_gain,
        min_gains={
            one.name: one.min_gain for one in saturation.primaries if one.min_gain is not None
        },
        gate=saturation.gate,
        patience=saturation.patience,
        confidence=saturation.confidence,
        min_tokens=saturation.min_tokens or 0,
        warmup_tokens=schedule.warmup_tokens or 0,
        constant_schedule=schedule.type == "Constant",
        budget_tokens=run.spec.budget_tokens,
        rounding_tokens=run.spec.step_tokens - 1,
    )


def policy_of_reports(reports: Sequence[EvaluationReport]) -> Policy:
    """Defaults where no run is known: the newest checkpoint stands for the budget's end."""
    newest = max(reports, key=lambda report: report.tokens, default=None)
    tokens, step = (newest.tokens, newest.step) if newest else (0, 0)
    return Policy(
        horizon_tokens=horizon_of_budget(tokens),
        horizon_source="Guess",
        rounding_tokens=max(0, tokens // step - 1) if step else 0,
    )


def names_of(role: Role, signals: Iterable[Signal], policy: Policy) -> list[str]:
    """Guards or ceilings: those that the policy names, else those that probes declare."""
    named = policy.guards if role is Role.GUARD else policy.ceilings
    if named is not None:
        return list(named)
    return [s.name for s in signals if s.role is role and s.name not in policy.signals]
