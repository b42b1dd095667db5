"""The verdict over all reports, and the stop that it, or the deadline, leads to.

A stop is journalled before it is acted on. It stands as long as its ground does: one by saturation
until the policy is changed, one by the deadline until that lies in the future again.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Literal

from lccp.analysis.policy import Policy
from lccp.api.objects.journal import Journal, StopRecord
from lccp.api.objects.verdict import Verdict, VerdictState
from lccp.api.run import LCCPRun
from lccp_operator.packed import PackedReport
from lccp_operator.plan import evaluations
from lccp_operator.plan.goals import final_failure
from lccp_operator.plan.scene import Scene

Judge = Callable[[Sequence[PackedReport], Policy], Verdict]


def verdict(scene: Scene, judge: Judge) -> Verdict | None:
    """The verdict over all reports, or None before the first."""
    found = evaluations.reports(scene)
    return judge(found, Policy.of(scene.run)) if found else None


def decided(scene: Scene) -> Journal:
    """The journal with the stop that is in force."""
    stop = scene.journal.stop
    standing = stop if stop is not None and _stands(scene, stop) else None
    return scene.noted(stop=standing if _training_is_over(scene) else _next_stop(scene, standing))


def seconds_to_deadline(scene: Scene) -> float | None:
    """Seconds until the deadline, negative after it; None without one."""
    limit = scene.spec.active_deadline_seconds
    if limit is None:
        return None
    return (scene.acceptance.at + timedelta(seconds=limit) - scene.now).total_seconds()


def policy_digest(run: LCCPRun) -> str:
    """SHA-256 of all that a decision to stop rests on, beside the reports."""
    saturation = run.spec.saturation
    policy = (
        saturation.signal,
        saturation.min_gain,
        run.horizon_tokens,
        saturation.patience,
        saturation.min_tokens,
        saturation.confidence,
        saturation.action,
    )
    return hashlib.sha256(json.dumps(policy).encode()).hexdigest()


def _stands(scene: Scene, stop: StopRecord) -> bool:
    if stop.reason == "DeadlineExceeded":
        return _overdue(scene)
    return stop.policy_digest == policy_digest(scene.run)


def _overdue(scene: Scene) -> bool:
    left = seconds_to_deadline(scene)
    return left is not None and left <= 0


def _training_is_over(scene: Scene) -> bool:
    return scene.training_complete or final_failure(scene) is not None


def _next_stop(scene: Scene, standing: StopRecord | None) -> StopRecord | None:
    held = standing is None or standing.action == "Suspend"
    if held and _overdue(scene):
        return _record(scene, "DeadlineExceeded", "Stop", scene.newest_checkpoint or 0)
    return standing or _by_saturation(scene)


def _by_saturation(scene: Scene) -> StopRecord | None:
    found, action = scene.verdict, scene.spec.saturation.action
    if found is None or found.state is not VerdictState.SATURATED or found.at_tokens is None:
        return None
    # An older checkpoint that is still to be evaluated could change the verdict.
    undecided = any(tokens < found.at_tokens for tokens in evaluations.outstanding(scene))
    if action not in ("Suspend", "Stop") or undecided:
        return None
    return _record(scene, "Saturated", action, found.at_tokens)


def _record(
    scene: Scene,
    reason: Literal["Saturated", "DeadlineExceeded"],
    action: Literal["Stop", "Suspend"],
    at_tokens: int,
) -> StopRecord:
    return StopRecord(
        reason=reason,
        action=action,
        at_tokens=at_tokens,
        decided_at=scene.now,
        policy_digest=policy_digest(scene.run),
    )
