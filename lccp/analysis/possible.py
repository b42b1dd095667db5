"""Whether a plan can ever end Saturated, whatever the model does.

The rules' requirements are derived from token counts only, without numpy: the operator needs them
at every reconcile. A test checks that the rules agree.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import cache

from lccp.analysis.policy import holds_a_step, may_saturate, policy_of_run
from lccp.api.objects.policy import Policy
from lccp.api.run import LCCPRun
from lccp.probes.registry import PROBES

FEWEST_IN_A_LINE = 5
FEWEST_IN_A_GAIN = 3
MOST_ASKED = 64
"""Numbers of checkpoints that are tried for a remedy."""


def can_saturate(checkpoints: Sequence[int], policy: Policy) -> bool:
    """A level plateau without noise would be Saturated at one of the `checkpoints`.

    They are token counts, ascending.
    """
    fitted = [tokens for tokens in checkpoints if tokens > policy.warmup_tokens]
    late = range(FEWEST_IN_A_LINE - 1, len(fitted))
    return may_saturate(policy) and any(_is_enough(fitted, k, policy) for k in late)


def _is_enough(fitted: Sequence[int], k: int, policy: Policy) -> bool:
    """At checkpoint k a line spans the patience, and a gain was known a horizon before."""
    now, horizon, slack = fitted[k], policy.horizon_tokens, policy.rounding_tokens
    spans = now - fitted[0] >= policy.patience * horizon - slack
    if now < policy.min_tokens or not spans:
        return False
    window = min(bisect_left(fitted, now - horizon - slack), k + 1 - FEWEST_IN_A_GAIN)
    before = min(bisect_right(fitted, now - horizon + slack) - 1, window)
    return policy.patience == 1 or before >= FEWEST_IN_A_GAIN - 1


def obstacle(run: LCCPRun) -> str:
    """Why no checkpoint of `run` can ever be Saturated, and what would help; else empty."""
    policy, budget = policy_of_run(run), run.spec.budget_tokens
    due = run.spec.checkpoints.due(budget)
    causes = (
        _unmeasured(run, policy),
        _only_looks(run, policy),
        _schedule(run),
        _too_short(policy),
        _too_early(policy, budget),
    )
    for cause in causes:
        if cause:
            return cause
    return "" if can_saturate(due, policy) else _too_few(policy, budget)


def _off(run: LCCPRun, policy: Policy) -> dict[str, str | None]:
    """Primary signals that are never measured, and their probes."""
    asked = run.spec.evaluation.probes.asked()
    suites = tuple(suite.prefix for suite in run.spec.evaluation.suites)
    return {
        name: probe
        for name in policy.signals
        if (probe := probe_of(name)) not in asked and not name.startswith(suites)
    }


def _unmeasured(run: LCCPRun, policy: Policy) -> str:
    off = _off(run, policy)
    if len(policy.signals) - len(off) >= policy.needed:
        return ""
    name, probe = next(iter(off.items()))
    why = f"its probe {probe} is off" if probe else "no probe measures it, nor does a suite"
    return f"{name} is never measured, since {why}: name other signals in saturation.signals"


def _only_looks(run: LCCPRun, policy: Policy) -> str:
    asked = run.spec.evaluation.probes.asked()
    documents = {name: settings.document() for name, settings in asked.items()}
    looks = {
        name: probe
        for name in policy.signals
        if (probe := probe_of(name)) in asked and PROBES.is_look(probe, documents)
    }
    able = len(policy.signals) - len(looks) - len(_off(run, policy))
    if not looks or able >= policy.needed:
        return ""
    name, probe = next(iter(looks.items()))
    return (
        f"{name} is measured by the probe {probe} with a preset for a first look, which decides "
        "nothing, so the run is never judged saturated: only a run with another preset can be"
    )


def probe_of(signal: str) -> str | None:
    """The probe that measures a signal; None: there is none."""
    return _probes_of_signals().get(_family(signal))


@cache
def _probes_of_signals() -> Mapping[str, str]:
    """The probe that measures a signal, by the signal's name up to its part."""
    return {
        _family(signal.name): name
        for name, probe in PROBES.items()
        for signal in probe.signals(probe.usual)
    }


def _family(signal: str) -> str:
    return signal.partition("/")[0]


def _schedule(run: LCCPRun) -> str:
    kind = run.spec.schedule.type
    if kind == "Constant":
        return ""
    return (
        f"under the schedule {kind} the learning rate decays, which causes a plateau of its "
        "own, so the run is never judged saturated: only a run with the schedule Constant can be"
    )


def _too_short(policy: Policy) -> str:
    if policy.horizon_source != "Given" or holds_a_step(policy):
        return ""
    return (
        f"saturation.horizonTokens, {policy.horizon_tokens:,}, is less than a step of training, "
        f"{policy.rounding_tokens + 1:,} tokens: a gain over it says nothing: give the tokens over "
        "which a gain must pay"
    )


def _too_early(policy: Policy, budget: int) -> str:
    if policy.min_tokens <= budget:
        return ""
    return (
        f"saturation.minTokens, {policy.min_tokens:,}, exceeds the budget: set it to at "
        f"most {budget:,}"
    )


def _too_few(policy: Policy, budget: int) -> str:
    needs = (
        f"a saturation needs {FEWEST_IN_A_LINE} checkpoints after the warm-up that span "
        f"{policy.patience} horizons of {policy.horizon_tokens:,} tokens, and the plan has none"
    )
    every = _densest(policy, budget)
    if every:
        return f"{needs}: give checkpoints.everyTokens of at most {every:,}"
    horizon = max(1, (budget - policy.warmup_tokens) // (policy.patience + 1))
    every = _densest(policy.model_copy(update={"horizon_tokens": horizon}), budget)
    if not every:
        return f"{needs}, nor do its {budget:,} tokens have steps enough for them"
    return (
        f"{needs}: give saturation.horizonTokens of at most {horizon:,}, and "
        f"checkpoints.everyTokens of at most {every:,}"
    )


def _densest(policy: Policy, budget: int) -> int:
    """The longest sufficient distance between checkpoints, as a share of the budget; 0: none is."""
    for count in range(FEWEST_IN_A_LINE, MOST_ASKED + 1):
        every = budget // count
        due = [*range(every, budget, every), budget] if every > policy.rounding_tokens else []
        if can_saturate(due, policy):
            return every
    return 0
