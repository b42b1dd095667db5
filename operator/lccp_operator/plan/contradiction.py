"""Objects missing from the store, though status, workloads, journal or trainers mention them."""

from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.objects.journal import Journal
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.facts import Facts
from lccp_operator.observed import Observed
from lccp_operator.plan.acceptance import Refusal, accepted, foreign_owner, told_of_another
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Aim, branch_trained, goal
from lccp_operator.plan.older import older_copy
from lccp_operator.plan.saved import earlier_attempts, newest_saved


def contradiction(context: Context, observed: Observed) -> Refusal | None:
    """Why the store can't be the one that status and workloads refer to, or None.

    A run's objects are written before its workloads are made, and before the status that mentions
    them. So if a run has begun and the store has nothing of it, or an older copy, the run is under
    another URL, or was deleted behind LCCP's back: training from there would repeat its compute.
    """
    status = context.run.status or LCCPRunStatus()
    told = status.start_time or status.progress.last_heartbeat_time or observed.heard
    if not (told or observed.begun or context.trainings or context.evaluations):
        return None
    foreign = foreign_owner(context.facts, context.owner)
    if foreign is not None:
        return Refusal(Reason.STORE_HOLDS_ANOTHER_RUN, told_of_another(context, foreign))
    return _told(context, _missing(context, status) or older_copy(context, observed))


def lost_before(context: Context) -> Refusal | None:
    """Why a command can't go on where the one before it ended, or None.

    It is a new run object, of which neither status nor workloads mention anything yet.
    """
    if not context.by_command or context.run.status is not None:
        return None
    return _told(context, _missing_newest_state(context.after(accepted)))


def _told(context: Context, missing: str | None) -> Refusal | None:
    if missing is None:
        return None
    anew = "set checkpoints.lostState to Restart and " if context.by_command else ""
    where = "" if context.by_command else " in the installation"
    message = (
        f"store {context.spec.checkpoints.store_name} holds no {missing} any more: nothing is "
        f"started or judged; correct the store's url{where}, or restore the object; to train on "
        f"from what is left, or from the beginning if nothing is, {anew}{context.apply_again}"
    )
    return Refusal(Reason.STORED_RUN_MISSING, message)


def _missing(context: Context, status: LCCPRunStatus) -> str | None:
    facts = context.facts
    if facts.identity is None:
        return "run.json of this run"
    if facts.journal_etag is None:
        return "journal.json of this run"
    works = any(state.live and not state.deleting for state in context.workloads.values())
    if is_of_another_object(context.run, context.journal, works):
        return (
            "journal.json of this run (the one there is that of another run object: delete it, "
            "unless you can restore this run's)"
        )
    newest = max((attempt.number for attempt in facts.journal.attempts), default=0)
    told = max([status.attempt, *(training.attempt for training in context.trainings)])
    if told > newest:
        return f"attempt {told} of this run (its newest is {newest})"
    missing = _missing_checkpoint(status, facts) or _missing_states(context)
    return missing or _missing_newest_state(context)


def is_of_another_object(run: LCCPRun, journal: Journal, works: bool = False) -> bool:
    """The journal names another run object, though this one began after it was in the journal.

    `works`: a workload of `run` does. Unless the status is of that other object, too: it was
    restored with it. Or unless both tell of the same attempt: the cluster was restored to before
    this run was deleted and applied again.
    """
    accepted, status = journal.accepted, run.status or LCCPRunStatus()
    if accepted is None or accepted.run_uid == run.metadata.uid:
        return False
    attempts = {(attempt.number, attempt.started_at) for attempt in journal.attempts}
    if any((attempt.number, attempt.started_at) in attempts for attempt in status.attempts):
        return False
    return works or status.start_time not in (None, accepted.at)


def _missing_checkpoint(status: LCCPRunStatus, facts: Facts) -> str | None:
    """The newest one in the status: older ones may have been deleted to save space."""
    told = max((checkpoint.tokens for checkpoint in status.checkpoints), default=0)
    damaged = any("/checkpoints/" in key for key in facts.damaged)
    if damaged or told <= max(facts.checkpoints, default=0):
        return None
    there = f"its newest is of {max(facts.checkpoints):,}" if facts.checkpoints else "it holds none"
    return f"checkpoint of {told:,} tokens of this run ({there})"


def _missing_states(context: Context) -> str | None:
    """A training state, if the trainers for this run object saved any and there is none.

    An attempt may have withdrawn damaged ones to start over, if `lostState` says so.
    """
    facts = context.facts
    resumable = facts.checkpoints or facts.newest_state is not None
    if resumable or context.journal.accepted is None:
        return None
    earlier = earlier_attempts(context)
    told = [facts.heartbeats[number] for number in facts.heartbeats if number > earlier]
    ends = [facts.ends[number] for number in facts.ends if number > earlier]
    saved = {tokens for beat in told for tokens in beat.checkpoints}
    saved |= {end.tokens for end in ends if end.result is Cause.COMPLETED}
    if context.spec.checkpoints.lost_state != "Restart":
        saved.add(newest_saved(context))
    newest = max(saved, default=0)
    return f"training state of {newest:,} tokens of this run" if newest else None


def _missing_newest_state(context: Context) -> str | None:
    """The newest training state, if the next attempt would begin from an older one.

    Trainers delete only older ones; of a run without a next attempt they may be deleted.
    """
    works = any(state.live and state.begun for state in context.trainings.values())
    if works or context.spec.checkpoints.lost_state == "Restart":
        return None
    there, saved = context.facts.newest_state, newest_saved(context) if _trains_on(context) else 0
    if saved <= (there or 0):
        return None
    left = "it holds none" if there is None else f"its newest is of {there:,}"
    return f"training state of {saved:,} tokens of this run ({left})"


def _trains_on(context: Context) -> bool:
    """An attempt of the run's own training is to follow; importers have no states."""
    if context.journal.accepted is None or context.spec.source is not None:
        return False
    return goal(context).aim is Aim.TRAIN and branch_trained(context) is None
