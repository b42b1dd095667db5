"""An older copy of what the store holds of a run, put back in place of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TypeGuard

from lccp.api.conditions import Reason
from lccp.api.labels import INTRINSIC, evaluation_key
from lccp.api.objects.journal import AttemptRecord
from lccp.api.status import LCCPRunStatus
from lccp.facts.listing import attempt_of
from lccp_operator.intents import DeleteWorkload, Plan
from lccp_operator.observed import HeardBeat, Observed
from lccp_operator.plan.acceptance import Refusal
from lccp_operator.plan.context import SET_BACK, Context
from lccp_operator.workloads.state import Phase, WorkloadState
from lccp_operator.workloads.training import Training

JOURNAL = "journal.json of this run"
OR_EDITED = (
    "an older copy; or somebody edited the status, from which to remove progress.lastHeartbeatTime"
)


def heard(context: Context, before: HeardBeat | None) -> HeardBeat | None:
    """The heartbeat of the newest attempt, by its last writer; None: there is none.

    The one from `before` counts on if an older one is found in its place: the writer may have died,
    as nobody has seen yet. If the older one is followed by others, the writer's clock was set back.
    """
    beats = context.facts.heartbeats
    newest = beats[max(beats)] if beats else None
    if newest is None or before is None or newest.writer != before.writer:
        return None if newest is None else HeardBeat(newest.writer, newest.at)
    goes_on = before.back is not None and newest.at > before.back
    if newest.at >= before.at or goes_on:
        return HeardBeat(newest.writer, newest.at)
    return replace(before, back=newest.at)


def told_of(status: LCCPRunStatus, heard: HeardBeat | None) -> LCCPRunStatus:
    """That status, which does not follow a heartbeat that went back."""
    return status if heard is None or heard.back is None else _remembered(status, heard)


def older_copy(context: Context, observed: Observed) -> str | None:
    """What an older copy of the store lacks; None: nothing shows that it is one.

    Of attempts, a copy from before the open one had begun, or after its end, lacks an attempt, or
    nothing that counts. What a status tells does not count if somebody else is known to write it.
    """
    attempt, told = context.open_attempt, context.run.status if observed.status_is_own else None
    status = told or LCCPRunStatus()
    if attempt is None:
        return _missing_outcome(context, status)
    missing = _missing_end(context, attempt, status) or _missing_outcome(context, status)
    return missing or _missing_heartbeat(context, attempt, status, observed.heard)


def withheld(waits: Plan, context: Context, missing: Refusal, heard: HeardBeat | None) -> Plan:
    """That plan of a held run, by which no gang begins.

    What only `heard` and the gangs tell is known afterwards, too, when both are gone.
    """
    if missing.reason is not Reason.STORED_RUN_MISSING:
        return waits
    told = _remembered(waits.status, heard)
    newest = max([told.attempt, *(training.attempt for training in context.trainings)])
    status = told.model_copy(update={"attempt": newest})
    return replace(waits, intents=tuple(_unheard_gangs(context, heard)), status=status)


def _remembered(status: LCCPRunStatus, heard: HeardBeat | None) -> LCCPRunStatus:
    told = status.progress.last_heartbeat_time
    if heard is None or (told is not None and told >= heard.at):
        return status
    progress = status.progress.model_copy(update={"last_heartbeat_time": heard.at})
    return status.model_copy(update={"progress": progress})


def _unheard_gangs(context: Context, heard: HeardBeat | None) -> Iterator[DeleteWorkload]:
    """The ends of gangs that would train from what is left of this run object's run.

    A queue, or a scheduler, may let them begin at any time. One that reports is left alone.
    """
    accepted = context.facts.journal.accepted
    if accepted is None or accepted.run_uid != context.run.metadata.uid:
        return
    for training, state in context.trainings.items():
        reports = state.begun and (heard is None or _reports(context, training, heard))
        if state.live and not state.deleting and not reports:
            yield DeleteWorkload(training)


def _reports(context: Context, training: Training, heard: HeardBeat) -> bool:
    """A pod that the gang has now has written, or is the one that was heard last."""
    writers = context.trainings[training].writers(training.attempt)
    return bool(writers & {heard.writer, *(one.writer for one in context.facts.told)})


def _missing_end(context: Context, attempt: AttemptRecord, status: LCCPRunStatus) -> str | None:
    """The end of an attempt in the status, if the journal, which is written first, lacks it.

    Or somebody else wrote the status, if the gang works.
    """
    gang = context.gang
    if gang is not None and gang.live:
        return None
    if attempt.number not in {told.number for told in status.attempts if told.ended_at is not None}:
        return None
    return f"{JOURNAL} with the end of attempt {attempt.number} (it is an older one)"


def _missing_outcome(context: Context, status: LCCPRunStatus) -> str | None:
    """The outcome of an evaluation in the status, if neither journal nor report know of it.

    Unless the run's annotation asks for another one: then the status is written last.
    """
    if context.reevaluate is not None:
        return None
    facts, known = context.facts, context.facts.journal.evaluations
    for tokens in (one.tokens for one in status.checkpoints if one.evaluation == "Succeeded"):
        key = (tokens, INTRINSIC)
        reported = key in facts.reports or key in facts.damaged_reports
        if tokens in facts.checkpoints and evaluation_key(*key) not in known and not reported:
            return f"{JOURNAL} with the outcome at {tokens:,} tokens (it is an older one)"
    return None


def _missing_heartbeat(
    context: Context, attempt: AttemptRecord, status: LCCPRunStatus, heard: HeardBeat | None
) -> str | None:
    """A heartbeat that was read before: each replaces the one before, and is never deleted."""
    if any("/training/" in key for key in context.facts.damaged):
        return None
    if (at := _gone_since(context, attempt, heard)) is not None:
        return f"heartbeat of this run from {_in_words(at)} (an older copy)"
    if (at := _older_than_told(context, attempt, status)) is not None:
        return f"heartbeat of this run from {_in_words(at)} ({OR_EDITED})"
    return None


def _gone_since(
    context: Context, attempt: AttemptRecord, heard: HeardBeat | None
) -> datetime | None:
    """The time of that heartbeat, if its writer's is older by now, or gone.

    The clock of a writer that still works may have been set back. What earlier attempts told may
    be deleted: nobody needs it any more.
    """
    if heard is None or attempt_of(heard.writer) < attempt.number:
        return None
    if _works(context.gang) and heard.writer in context.gang.writers(attempt.number):
        return None
    beats = (one.heartbeat for one in context.facts.told if one.writer == heard.writer)
    there = next((beat.at for beat in beats if beat is not None), None)
    return heard.at if there is None or there < heard.at else None


def _older_than_told(
    context: Context, attempt: AttemptRecord, status: LCCPRunStatus
) -> datetime | None:
    """The time of the heartbeat in the status, if each is older, and no process may write one.

    One from before the attempt was told by an earlier one.
    """
    told = status.progress.last_heartbeat_time
    if told is None or not attempt.started_at <= told <= context.now + SET_BACK:
        return None
    beats = (one.heartbeat for one in context.facts.told)
    there = any(beat is not None and beat.at >= told for beat in beats)
    return None if there or _works(context.gang) else told


def _works(gang: WorkloadState | None) -> TypeGuard[WorkloadState]:
    """A pod of it runs, and the end of its process is not seen."""
    pods = gang.pods if gang is not None else ()
    return any(pod.phase is Phase.RUNNING and pod.exit_code is None for pod in pods)


def _in_words(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
