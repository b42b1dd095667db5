"""Acceptance: whether the run may use what the store holds under its name, and since when it does.

A new run object of the same identity (deleted and applied again; on a laptop, the command started
again) adopts the store's run. Failures before a person asked again no longer count: by a new
object, by another way of carrying the run out, or by suspending it.
"""

from dataclasses import dataclass

from lccp.api.conditions import Reason
from lccp.api.identity import digest_of, identity_of
from lccp.api.objects.journal import Acceptance, Journal
from lccp.api.objects.run import RunIdentity
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.facts import Facts
from lccp_operator.intents import ClaimIdentity
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import final_failure


@dataclass(frozen=True)
class Refusal:
    """Why a run is not accepted, and what would be right."""

    reason: Reason
    message: str


def stored_identity(run: LCCPRun) -> RunIdentity:
    return RunIdentity(
        namespace=run.metadata.namespace,
        name=run.metadata.name,
        digest=digest_of(run.spec),
        identity=identity_of(run.spec),
    )


def refusal(context: Context) -> Refusal | None:
    """Why the run may not use the store's prefix, or None."""
    problem = _problem(context)
    if problem is None:
        return None
    where = f"store {context.spec.checkpoints.store_name}"
    name = f"{context.run.metadata.namespace}/{context.run.metadata.name}"
    message = (
        f"{where} already holds a run {name}, {problem}: "
        "give this run another name, or delete that run's objects"
    )
    return Refusal(Reason.STORE_HOLDS_ANOTHER_RUN, message)


def contradiction(context: Context) -> Refusal | None:
    """Why the store can't be the one that the status tells of, or None.

    A run's objects are written before the status that tells of them. So one that was accepted and
    of which nothing is there lies under another URL, or was deleted behind LCCP's back: to begin
    it anew would spend its compute twice.
    """
    status, facts = context.run.status, context.facts
    if status is None or status.start_time is None:
        return None
    missing = _missing(status, facts)
    if missing is None:
        return None
    message = (
        f"store {context.spec.checkpoints.store_name} holds no {missing}, which the status tells "
        "of: nothing is started or judged; correct the store's url in the installation, or restore "
        "the objects; to train from the beginning, delete the run and apply it again"
    )
    return Refusal(Reason.STORED_RUN_MISSING, message)


def claim(context: Context) -> list[ClaimIdentity]:
    """The record of the identity, also over one of which nothing else is there."""
    if context.facts.identity is None:
        return [ClaimIdentity(stored_identity(context.run))]
    if context.identity_problem is not None:
        return [ClaimIdentity(stored_identity(context.run), context.facts.identity_etag)]
    return []


def accepted(context: Context) -> Journal:
    """The journal as this run object's own."""
    uid, journal = context.run.metadata.uid, context.journal
    before = journal.accepted
    if before is None or before.run_uid != uid:
        return _begun(context)
    if not _asked_again(context):
        return journal
    forgiven = before.model_copy(update={"earlier_attempts": len(journal.attempts)})
    return context.noted(accepted=forgiven, finished_at=None)


def pinned(context: Context) -> Journal:
    """The journal with what is due pinned, but for workloads that are there and yet to begin."""
    known, due = context.pinned, context.due
    waiting = [state for state in context.evaluations.values() if state.live and not state.begun]
    both = known.templates is None or not (context.gang or waiting)
    update = {
        "trainer_image": known.trainer_image if context.gang else due.trainer_image,
        "evaluator_image": known.evaluator_image if waiting else due.evaluator_image,
        "templates": due.templates if both else known.templates,
    }
    return context.noted(pinned=known.model_copy(update=update))


def _begun(context: Context) -> Journal:
    succeeded = {k: o for k, o in context.journal.evaluations.items() if o.result == "Succeeded"}
    return context.noted(
        accepted=Acceptance(
            run_uid=context.run.metadata.uid,
            at=context.now,
            earlier_attempts=len(context.journal.attempts),
        ),
        pinned=context.offered,
        evaluations=succeeded,
        finished_at=None,
    )


def _asked_again(context: Context) -> bool:
    """The run failed, and since then it was suspended, or is to be carried out differently."""
    if context.open_attempt is not None or final_failure(context) is None:
        return False
    return context.spec.suspend or bool(context.changed_settings)


def _missing(status: LCCPRunStatus, facts: Facts) -> str | None:
    if facts.identity is None:
        return "run.json of this run"
    if not facts.holds_a_run:
        return "journal.json of this run"
    damaged = any("/checkpoints/" in key for key in facts.damaged)
    if status.checkpoints and not (facts.checkpoints or damaged):
        return "checkpoint of this run"
    return None


def _problem(context: Context) -> str | None:
    if context.facts.identity is None:
        return "without run.json" if context.facts.holds_a_run else None
    if not context.facts.holds_progress:
        return None
    return context.identity_problem or _not_adopted(context)


def _not_adopted(context: Context) -> str | None:
    owner = context.journal.accepted
    foreign = owner is not None and owner.run_uid != context.run.metadata.uid
    if context.spec.checkpoints.adopt or not foreign:
        return None
    return "the same one, but checkpoints.adopt is false, so it does not go on with it"
