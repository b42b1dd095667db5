"""Acceptance: whether the run may use the objects under its name in the store, and since when.

A new run object of the same identity (deleted and applied again; on a laptop, the command started
again) adopts the store's run. Failures before a person's new request no longer count: a new object,
changed settings for carrying out the run, or suspending it.
"""

from dataclasses import dataclass
from datetime import datetime

from lccp.api.conditions import ConditionType, Reason
from lccp.api.identity import digest_of, identity_of
from lccp.api.objects.journal import Acceptance, Journal
from lccp.api.objects.run import RunIdentity
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.cost.compatibility import refusals
from lccp_operator.facts import Facts
from lccp_operator.intents import ClaimIdentity, ClaimRun, Event, EventReason, Intent
from lccp_operator.observed import Known, Observed, Owner
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import failed_for_good, last_number


@dataclass(frozen=True)
class Refusal:
    """Why a run is not accepted, and the remedy."""

    reason: Reason
    message: str


def stored_identity(run: LCCPRun, owner: Owner | None = None) -> RunIdentity:
    identity = identity_of(run.spec)
    return RunIdentity(
        namespace=run.metadata.namespace,
        name=run.metadata.name,
        installation=owner.id if owner is not None else "",
        digest=digest_of(identity),
        identity=identity,
    )


def other_installation(run: LCCPRun, observed: Observed) -> str | None:
    """The installation that carries out the run, if that is another one, or None."""
    told = run.status.installation if run.status else None
    other = told or observed.made_by
    if not other and isinstance(observed.store, Known):
        facts = observed.store.value
        accepted, identity = facts.journal.accepted, facts.identity
        same = accepted is not None and accepted.run_uid == run.metadata.uid
        other = identity.installation if same and identity is not None else None
    return None if observed.owner.may_have(other) else other


def left_alone(namespace: str, owner: Owner, other: str, at: datetime) -> Event:
    """Says that `other` carries out the run, and the remedy if both watch its namespace."""
    if owner.lives == other:
        message = (
            f"installation {other} lives: it took this run back from {owner.name}, whose "
            f"adoptFrom calls it gone, and which leaves the run alone now: remove {other} from "
            "that adoptFrom, and this installation from the other's"
        )
        return Event("Warning", EventReason.REFUSED, message, at, about=f"{owner.id} {other} lives")
    message = (
        f"installation {other} manages this run, and {owner.name} watches namespace {namespace} "
        "too and leaves it alone: give each its own namespaces (the chart's namespaces); if "
        f"{other} is gone, add it to the chart's adoptFrom"
    )
    return Event("Warning", EventReason.REFUSED, message, at, about=f"{owner.id} {other}")


def refusal(context: Context) -> Refusal | None:
    """Why the run may not use the store's prefix, or can't be trained as specified; or None."""
    foreign = foreign_owner(context.facts, context.owner)
    if foreign is not None:
        return Refusal(Reason.STORE_HOLDS_ANOTHER_RUN, told_of_another(context, foreign))
    problem = _problem(context)
    if problem is None:
        return _untrainable(context)
    where = f"store {context.spec.checkpoints.store_name}"
    name = f"{context.run.metadata.namespace}/{context.run.metadata.name}"
    remedy = "" if context.problem_of_prefix else ", or delete that run's objects"
    message = f"{where} already holds a run {name}, {problem}: give this run another name{remedy}"
    return Refusal(Reason.STORE_HOLDS_ANOTHER_RUN, message)


def _untrainable(context: Context) -> Refusal | None:
    """What a trainer would refuse, reported before there is one.

    Once there was an attempt for this run object, a trainer reports it, and other work continues.
    """
    before = context.journal.accepted
    own = before is not None and before.run_uid == context.run.metadata.uid
    if own and before is not None and last_number(context) > before.earlier_attempts:
        return None
    if context.spec.source is not None:
        return None
    found = refusals(context.spec, context.model_config)
    return Refusal(Reason.INVALID_SPEC, "; ".join(found)) if found else None


def claimed(status: LCCPRunStatus | None, owner: Owner) -> LCCPRunStatus:
    """The status of a run that `owner` carries out, or refuses on behalf of all."""
    known = status or LCCPRunStatus()
    return known.model_copy(update={"installation": owner.id or known.installation})


def told_by_any(
    run: LCCPRun, owner: Owner, reason: Reason, by: ConditionType = ConditionType.ACCEPTED
) -> bool:
    """Whether its status, on which `owner` has no claim, already gives that reason.

    That makes no claim, since another installation may carry out the run. If several report it in
    their own words, the first one's stay until the spec changes.
    """
    status, told = run.status, (by, reason, run.metadata.generation)
    if not owner.id or status is None or status.installation == owner.id:
        return False
    known = (c for c in status.conditions if c.status != "Unknown")
    return told in ((c.type, c.reason, c.observed_generation) for c in known)


def claims(context: Context) -> list[Intent]:
    """The marks of ownership: first in the status, which only one installation can write.

    If several watch one namespace, the API server accepts one write over the object that all of
    them have read; the others read it again before they do anything else.
    """
    own, status = context.owner.id, context.run.status
    marked = not own or (status is not None and status.installation == own)
    claim = [] if marked else [ClaimRun(claimed(status, context.owner))]
    return [*claim, *_claim_of_store(context)]


def _claim_of_store(context: Context) -> list[ClaimIdentity]:
    """The record of the identity; it may replace one without any other objects, or a copy."""
    found, metadata, owner = context.facts.identity, context.run.metadata, context.owner
    if found is None:
        return [ClaimIdentity(stored_identity(context.run, owner))]
    told = (found.installation, found.namespace, found.name)
    if context.identity_problem is None and told == (owner.id, metadata.namespace, metadata.name):
        return []
    return [ClaimIdentity(stored_identity(context.run, owner), context.facts.identity_etag)]


def foreign_owner(facts: Facts, owner: Owner) -> str | None:
    """The installation whose run the store holds, if `owner` may not have that run.

    An owner without an installation may have the rest of a run whose object was deleted.
    """
    found, accepted = facts.identity, facts.journal.accepted
    left = not owner.id and accepted is not None and accepted.deleted_at is not None
    if found is None or left or owner.may_have(found.installation):
        return None
    return found.installation


def of_another(run: LCCPRun, owner: Owner, other: str) -> str:
    """The owner of the run that the store holds under the name of `run`."""
    return (
        f"store {run.spec.checkpoints.store_name} holds a run {run.metadata.namespace}/"
        f"{run.metadata.name} that installation {other} manages according to its run.json, and "
        f"this is {owner.name}"
    )


def accepted(context: Context) -> Journal:
    """The journal, taken over by this run object."""
    uid, journal = context.run.metadata.uid, context.journal
    before = journal.accepted
    if before is None or before.run_uid != uid:
        return _begun(context)
    if before.deleted_at is not None:
        return context.noted(accepted=before.model_copy(update={"deleted_at": None}))
    if not _asked_again(context):
        return journal
    forgiven = before.model_copy(update={"earlier_attempts": last_number(context)})
    return context.noted(accepted=forgiven, finished_at=None)


def pinned(context: Context) -> Journal:
    """The journal with current settings pinned, unless existing workloads have yet to begin."""
    known, due = context.pinned, context.due
    waiting = [state for state in context.evaluations.values() if state.live and not state.begun]
    both = known.templates is None or not (context.gang or waiting)
    update = {
        "trainer_image": known.trainer_image if context.gang else due.trainer_image,
        "evaluator_image": known.evaluator_image if waiting else due.evaluator_image,
        "templates": due.templates if both else known.templates,
    }
    return context.noted(pinned=known.model_copy(update=update))


def told_of_another(context: Context, other: str) -> str:
    whose, owner = of_another(context.run, context.owner, other), context.owner
    if not owner.id:
        return (
            f"{whose}: nothing is started or judged; delete its run object there first, or give "
            "this run another store or name"
        )
    return (
        f"{whose}: nothing is started or judged; correct the store's url, or give this "
        "installation a prefix of its own; if the other one is gone, add it to the chart's "
        "adoptFrom"
    )


def _begun(context: Context) -> Journal:
    succeeded = {k: o for k, o in context.journal.evaluations.items() if o.result == "Succeeded"}
    return context.noted(
        accepted=Acceptance(
            run_uid=context.run.metadata.uid,
            at=context.now,
            earlier_attempts=last_number(context),
        ),
        pinned=context.offered,
        evaluations=succeeded,
        finished_at=None,
    )


def _asked_again(context: Context) -> bool:
    """It failed for good, and since then it was suspended, or its settings were changed."""
    if context.open_attempt is not None or not failed_for_good(context):
        return False
    return context.spec.suspend or bool(context.changed_settings) or _changed_and_back(context)


def _changed_and_back(context: Context) -> bool:
    """Something of the spec, such as `suspend`, was set and reset while nobody looked."""
    before, now = context.journal.failed_with, context.seen_spec
    return before is not None and before.digest == now.digest and before != now


def _problem(context: Context) -> str | None:
    if context.facts.identity is None:
        return "without run.json" if context.facts.holds_a_run else None
    if context.problem_of_prefix or not context.facts.holds_progress:
        return context.problem_of_prefix
    return context.identity_problem or _not_adopted(context)


def _not_adopted(context: Context) -> str | None:
    owner = context.journal.accepted
    foreign = owner is not None and owner.run_uid != context.run.metadata.uid
    if context.spec.checkpoints.adopt or not foreign:
        return None
    return "the same one, but checkpoints.adopt is false, so it is not adopted"
