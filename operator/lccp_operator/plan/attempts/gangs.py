"""The gang of the open attempt: whether it is complete, has begun, and matches its settings."""

import hashlib

from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.objects.journal import AttemptRecord, Gang
from lccp.api.objects.training import Heartbeat
from lccp.facts.facts import Told
from lccp_operator.plan.context import Context
from lccp_operator.workloads.endings import ENDED_WELL, STAYS_SECONDS, Ending
from lccp_operator.workloads.state import Phase, WorkloadState
from lccp_operator.workloads.training import Training

MEETING_SECONDS = 60
"""A gang whose pods all began is seen complete within this time."""


def old_gang_lives(context: Context) -> bool:
    current = context.open_attempt
    number = current.number if current else None
    return any(
        state.live for workload, state in context.trainings.items() if workload.attempt != number
    )


def remade(context: Context) -> bool:
    """What its pods need to find each other is gone or edited, and made again, unless the gang
    must end.
    """
    gang, left = context.gang, drain_seconds_left(context)
    if gang is None or gang.deleting or gang.changed or (left is not None and left < 0):
        return False
    return gang.apart


def told_of_remade(context: Context) -> list[str]:
    """A sentence if that is so, or if it is refused; else none."""
    attempt = context.open_attempt
    if attempt is None or not remade(context):
        return []
    refused = context.rejected.get(Training.of(attempt))
    then = f", which is refused: {refused.message}" if refused is not None else ""
    return [
        f"the Service by which the pods of attempt {attempt.number} find each other is gone, or "
        f"somebody changed what it selects: it is made again{then}"
    ]


def drain_seconds_left(context: Context) -> float | None:
    """Seconds that the open attempt has left to save and end; None: no such request."""
    attempt = context.open_attempt
    if attempt is None or attempt.drain_asked_at is None:
        return None
    limit = context.spec.saturation.drain_timeout_seconds
    return context.seconds_left(attempt.drain_asked_at, limit)


def gathering_seconds_left(context: Context) -> float | None:
    """Seconds left for a gang with some running pods to be complete; None: there is no limit."""
    limit, attempt = context.spec.topology.gang_timeout_seconds, context.open_attempt
    state = context.gang
    if limit is None or attempt is None or state is None or not _gathers(context, attempt):
        return None
    began = [pod.began_at for pod in state.pods if pod.phase is Phase.RUNNING and pod.began_at]
    whole = state.pods_begun >= state.pods_expected
    return None if whole or not began else context.seconds_left(min(began), limit)


def lacks_an_old_image(context: Context) -> bool:
    """The image of its gang can't be pulled, and a new gang would get another."""
    trouble = context.gang.trouble if context.gang is not None else None
    pinned, due = context.pinned, context.due
    changed = (pinned.trainer_image, pinned.templates) != (due.trainer_image, due.templates)
    return changed and trouble is not None and trouble.reason is Reason.IMAGE_UNAVAILABLE


def stay_seconds_left(context: Context) -> float | None:
    """Seconds that the gang of the open attempt has left to end by itself, after its `end.json`.

    None: there is none. One that a queue admitted again works on after the end of its first pods.
    """
    attempt, gang = context.open_attempt, context.gang
    end = context.facts.ends.get(attempt.number) if attempt is not None else None
    if attempt is None or end is None or gang is None or gang.deleting:
        return None
    told = [one for one in context.facts.told if one.attempt == attempt.number and one.end]
    last = next((one for one in reversed(told) if one.end == end), None)
    its_own = last is not None and last.writer in gang.writers(attempt.number)
    if end.result not in ENDED_WELL and not its_own:
        return None
    since = [one.ended_at or end.at for one in told if one is last or _is_good(one)]
    return context.seconds_left(min(since), STAYS_SECONDS)


def _is_good(told: Told) -> bool:
    return told.end is not None and told.end.result in ENDED_WELL


def present(context: Context) -> Told | None:
    """What the pods that the open attempt has now reported, if anything.

    Those that it had before a queue admitted it again were other writers.
    """
    attempt, gang = context.open_attempt, context.gang
    if attempt is None:
        return None
    told = [one for one in context.facts.told if one.attempt == attempt.number]
    writers = gang.writers(attempt.number) if gang is not None else frozenset()
    own = [one for one in told if one.writer in writers] if writers else told
    return own[-1] if own else None


def beat(context: Context) -> Heartbeat | None:
    """The last heartbeat of those pods."""
    told = present(context)
    return told.heartbeat if told is not None else None


def has_begun(context: Context, attempt: AttemptRecord) -> bool:
    """A process of it has worked, or works."""
    seen = context.gang is not None and context.gang.begun
    return seen or attempt.number in {*context.facts.heartbeats, *context.facts.ends}


def has_met(context: Context, attempt: AttemptRecord) -> bool:
    """Its gang was seen complete."""
    seen = context.journal.gang
    return seen is not None and seen.attempt == attempt.number


def ungathered(state: WorkloadState) -> Ending:
    told = f": {state.trouble.message}" if state.trouble is not None else ""
    parts = f"had {state.pods_begun} of {state.pods_expected} pods"
    return Ending(Cause.INCOMPLETE_GANG, f"{parts} for topology.gangTimeoutSeconds{told}")


def _gathers(context: Context, attempt: AttemptRecord) -> bool:
    """It was never seen complete, and does not work yet."""
    told = context.facts.heartbeats.get(attempt.number)
    return not has_met(context, attempt) and (told is None or told.phase == "Starting")


def incoherent(context: Context, attempt: AttemptRecord, state: WorkloadState) -> bool:
    before, now = context.journal.gang, gang_of(attempt, state)
    if before is None or now is None:
        return False
    same_start = (before.attempt, before.started_at) == (now.attempt, now.started_at)
    return same_start and before.digest != now.digest


def never_met(context: Context, attempt: AttemptRecord) -> bool:
    """Its pods waited for one that never began, and failed because of that."""
    state = context.gang
    if state is None or state.started_at is None or state.pods_begun >= state.pods_expected:
        return False
    waited = -context.seconds_left(state.started_at, MEETING_SECONDS) > 0
    rejected = any(pod.failure for pod in state.pods)
    return waited and _gathers(context, attempt) and not rejected


def seen_gang(context: Context, attempt: AttemptRecord) -> Gang | None:
    return None if context.gang is None else gang_of(attempt, context.gang)


def gang_of(attempt: AttemptRecord, workload: WorkloadState) -> Gang | None:
    """The gang, once all its pods have begun."""
    pods = sorted((pod.index, pod.uid) for pod in workload.pods if pod.phase is not Phase.PENDING)
    if workload.started_at is None or len(pods) != workload.pods_expected:
        return None
    digest = hashlib.sha256(repr(pods).encode()).hexdigest()
    return Gang(attempt=attempt.number, started_at=workload.started_at, digest=digest)
