"""The verdict over all reports, and the stop that follows from it, or from the deadline.

A stop is journalled before it is acted on. It holds as long as its reason does: one by saturation
until the policy is changed, one by the deadline until that is in the future again.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from lccp.analysis.policy import policy_of_run
from lccp.api.objects.journal import Journal, LiftedStop, StopRecord
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Verdict, VerdictState
from lccp.api.run import LCCPRun
from lccp_operator.judgement import Judgement, inputs_of
from lccp_operator.plan import evaluations
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import final_failure

Judge = Callable[[Sequence[EvaluationReport], Policy], Verdict]

ONE_AT_A_TIME = threading.Lock()
"""Reports are rebuilt to be judged: those of many runs at once would take more memory, not less
time."""


def judged(context: Context, judge: Judge) -> tuple[Judgement | None, Verdict | None]:
    """The verdict over all reports in short, and in full if it is new; None without any.

    The stored one holds as long as it is based on the same reports, policy and analysis.
    """
    found, stored = evaluations.reports(context), context.facts.verdict
    if not found:
        return None, None
    policy = policy_of_run(context.run)
    inputs = inputs_of(found, policy)
    if stored is not None and stored.inputs == inputs:
        return stored, None
    with ONE_AT_A_TIME:
        verdict = judge([report.report() for report in found], policy)
    same = stored is not None and stored.state is verdict.state
    changed_at = stored.changed_at if stored is not None and same else context.now
    verdict = verdict.model_copy(update={"inputs": inputs, "changed_at": changed_at})
    return Judgement.of(verdict), verdict


def decided(context: Context) -> Journal:
    """The journal with the stop that is in force."""
    stop = context.journal.stop
    standing = stop if stop is not None and _stands(context, stop) else None
    after = standing if _training_is_over(context) else _next_stop(context, standing)
    if stop is None or after is not None:
        return context.noted(stop=after)
    return context.noted(stop=None, lifted=LiftedStop(reason=stop.reason, at=context.now))


def seconds_to_deadline(context: Context) -> float | None:
    """Seconds until the deadline, negative after it; None without one."""
    limit = context.spec.active_deadline_seconds
    if limit is None:
        return None
    return context.seconds_left(context.acceptance.at, limit)


def policy_digest(run: LCCPRun) -> str:
    """SHA-256 of everything that a decision to stop is based on, besides the reports."""
    policy = policy_of_run(run).model_dump(mode="json", exclude={"gate", "budget_tokens"})
    policy |= {"action": run.spec.saturation.action}
    return hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).hexdigest()


def _stands(context: Context, stop: StopRecord) -> bool:
    if stop.reason == "DeadlineExceeded":
        return _overdue(context)
    return stop.policy_digest == policy_digest(context.run)


def _overdue(context: Context) -> bool:
    left = seconds_to_deadline(context)
    return left is not None and left <= 0


def _training_is_over(context: Context) -> bool:
    return context.training_complete or final_failure(context) is not None


def _next_stop(context: Context, standing: StopRecord | None) -> StopRecord | None:
    held = standing is None or standing.action == "Suspend"
    if held and _overdue(context):
        return _record(context, "DeadlineExceeded", "Stop", context.newest_checkpoint or 0)
    return standing or _by_saturation(context)


def _by_saturation(context: Context) -> StopRecord | None:
    found, action = context.judgement, context.spec.saturation.action
    if found is None or found.state is not VerdictState.SATURATED or found.at_tokens is None:
        return None
    # An older checkpoint that has yet to be evaluated could change the verdict.
    undecided = any(tokens < found.at_tokens for tokens, _ in evaluations.outstanding(context))
    if action not in ("Suspend", "Stop") or undecided:
        return None
    return _record(context, "Saturated", action, found.at_tokens)


def _record(
    context: Context,
    reason: Literal["Saturated", "DeadlineExceeded"],
    action: Literal["Stop", "Suspend"],
    at_tokens: int,
) -> StopRecord:
    return StopRecord(
        reason=reason,
        action=action,
        at_tokens=at_tokens,
        decided_at=context.now,
        policy_digest=policy_digest(context.run),
    )
