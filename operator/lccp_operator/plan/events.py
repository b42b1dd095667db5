"""Events: the changes of this reconcile, posted once.

They come from the old and the new journal and verdict, so that nothing is posted twice after a
status was emptied. A process that can't know whether the journal's events were posted posts the
recent ones again, as the same events.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from lccp.api.labels import INTRINSIC, REEVALUATE, evaluation_key
from lccp.api.objects.journal import AttemptRecord, Journal
from lccp.contract.base import cut
from lccp.facts.facts import EvaluationKey
from lccp.probes.registry import PROBES
from lccp_operator.intents import Event, EventReason
from lccp_operator.plan import evaluations
from lccp_operator.plan.acceptance import Refusal
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Aim, Goal
from lccp_operator.workloads.training import Training

RECENT = timedelta(minutes=10)
"""A process that ends is succeeded by the next one within this time."""


def of(context: Context, goal: Goal) -> tuple[Event, ...]:
    """The events of an accepted run, in the order in which things happened."""
    journal = context.facts.journal
    told = journal if context.events_posted else _as_of(journal, context.now - RECENT)
    return (
        *_acceptance(context, told),
        *_reevaluation(context),
        *_evaluations(context, told),
        *_verdict(context),
        *_stop(context, told, goal),
        *_attempts(context, told),
        *_gang_refused(context),
        *_finish(context, told, goal),
    )


def of_refusal(context: Context, refusal: Refusal) -> tuple[Event, ...]:
    """The event of a refusal that is not in the status, or only since recently."""
    message, before = cut(refusal.message), context.run.status
    known = [c for c in before.conditions if c.message == message] if before else []
    at = known[0].last_transition_time if known else context.now
    if known and (context.events_posted or at <= context.now - RECENT):
        return ()
    return (_warning(EventReason.REFUSED, refusal.message, at, about=message),)


def _as_of(journal: Journal, then: datetime) -> Journal:
    """The journal as it was at `then`, as far as its times show."""
    accepted, stop, finished_at = journal.accepted, journal.stop, journal.finished_at
    lifted = journal.lifted
    update = {
        "accepted": accepted if accepted and accepted.at <= then else None,
        "attempts": tuple(
            _attempt_as_of(a, then) for a in journal.attempts if a.started_at <= then
        ),
        "evaluations": {
            tokens: outcome
            for tokens, outcome in journal.evaluations.items()
            if outcome.at is None or outcome.at <= then
        },
        "stop": stop if stop and stop.decided_at <= then else None,
        "lifted": lifted if lifted and lifted.at <= then else None,
        "finished_at": finished_at if finished_at and finished_at <= then else None,
    }
    return journal.model_copy(update=update)


def _attempt_as_of(attempt: AttemptRecord, then: datetime) -> AttemptRecord:
    times = {"ended_at": attempt.ended_at, "drain_asked_at": attempt.drain_asked_at}
    later = (name for name, at in times.items() if at is not None and at > then)
    return attempt.model_copy(update=dict.fromkeys(later))


def _normal(reason: EventReason, message: str, at: datetime, about: str = "") -> Event:
    return Event("Normal", reason, message, at, about)


def _warning(reason: EventReason, message: str, at: datetime, about: str = "") -> Event:
    return Event("Warning", reason, message, at, about)


def _acceptance(context: Context, told: Journal) -> Iterator[Event]:
    if told.accepted == context.journal.accepted:
        return
    now = context.facts.journal.accepted != context.journal.accepted
    adopts = now and context.facts.holds_a_run
    adopted = f", and continues after {_counted(context)}" if adopts else ""
    yield _normal(EventReason.ACCEPTED, f"the run is accepted{adopted}", context.acceptance.at)


def _counted(context: Context) -> str:
    n = len(context.facts.checkpoints)
    return f"{n} checkpoint{'' if n == 1 else 's'} in the store"


def _attempts(context: Context, told: Journal) -> Iterator[Event]:
    before = {attempt.number: attempt for attempt in told.attempts}
    for attempt in context.journal.attempts:
        was, name = before.get(attempt.number), f"attempt {attempt.number}"
        if was is None:
            message = f"{name} starts"
            yield _normal(EventReason.ATTEMPT_STARTED, message, attempt.started_at, name)
        asked = attempt.drain_asked_at
        if asked is not None and (was is None or was.drain_asked_at is None):
            message = f"{name} was requested to save its state and exit"
            yield _normal(EventReason.DRAINING, message, asked, name)
        if attempt.ended_at is not None and (was is None or was.ended_at is None):
            yield _end(attempt, attempt.ended_at, name)


def _end(attempt: AttemptRecord, at: datetime, name: str) -> Event:
    message = f"{name} {attempt.message}"
    if attempt.counted:
        return _warning(EventReason.ATTEMPT_FAILED, message, at, name)
    return _normal(EventReason.ATTEMPT_ENDED, message, at, name)


def _gang_refused(context: Context) -> Iterator[Event]:
    """The refusal of a gang, unless its condition already has that reason."""
    attempt, gang = context.open_attempt, context.gang
    if attempt is None or attempt.drain_asked_at is not None or (gang and not gang.changed):
        return
    refused = gang.trouble if gang else context.rejected.get(Training.of(attempt))
    before = context.run.status.conditions if context.run.status else ()
    if refused is not None and all(c.reason != refused.reason for c in before):
        name = f"attempt {attempt.number}"
        yield _warning(EventReason.REFUSED, f"{name}: {refused.message}", context.now, name)


def _evaluations(context: Context, told: Journal) -> Iterator[Event]:
    for key in evaluations.wanted(context):
        outcome = context.outcome(key)
        if outcome is None or told.evaluations.get(evaluation_key(*key)) == outcome:
            continue
        at, name = outcome.at or context.now, evaluations.name_of(key)
        if outcome.result == "Succeeded":
            message = f"{name}{_values(context, key)}"
            yield _normal(EventReason.CHECKPOINT_EVALUATED, message, at, name)
        else:
            number = f", try {outcome.tries}" if not outcome.interruptions else ""
            message = f"{name}{number}: {outcome.message}"
            yield _warning(EventReason.EVALUATION_FAILED, message, at, name)


def _reevaluation(context: Context) -> Iterator[Event]:
    known = context.facts.journal.evaluations
    for key in evaluations.asked_anew(context):
        if evaluation_key(*key) in known:
            name = evaluations.name_of(key)
            message = f"{name} is evaluated again, as requested by {REEVALUATE}"
            yield _normal(EventReason.REEVALUATING, message, context.now, name)
    wrong = evaluations.not_to_be_asked(context)
    if wrong:
        message = (
            f"{REEVALUATE}: there is no complete checkpoint {', '.join(wrong)}, or no such suite "
            "of it: give `all` or the tokens of checkpoints, such as 8192,16384; for one suite "
            "only, add it after a slash, such as 8192/lm-eval or all/intrinsic"
        )
        yield _warning(EventReason.REFUSED, message, context.now)


def _values(context: Context, key: EvaluationKey) -> str:
    """The values that short tables show."""
    tokens, suite = key
    judgement = context.judgement
    judged = judgement.checkpoints.get(tokens) if judgement else None
    if judgement is None or judged is None or suite != INTRINSIC:
        return ""
    known = [c.signal for c in PROBES.columns() if c.signal in judged.values]
    named = (f"{judgement.titles.get(name, name)} {judged.values[name]:.4g}" for name in known)
    values = ", ".join(named)
    return f": {values}" if values else ""


def _verdict(context: Context) -> Iterator[Event]:
    now, before = context.judgement, context.facts.verdict
    if now is None or now.changed_at is None:
        return
    untold = not context.events_posted and now.changed_at > context.now - RECENT
    if before is None or now.state is not before.state or untold:
        message = f"{now.state}: {now.headline} {now.advice}".strip()
        yield _normal(EventReason.VERDICT_CHANGED, message, now.changed_at)


def _stop(context: Context, told: Journal, goal: Goal) -> Iterator[Event]:
    stop, lifted = context.journal.stop, context.journal.lifted
    if stop is not None and told.stop != stop:
        yield _normal(EventReason.STOPPING, goal.message, stop.decided_at)
    if lifted is not None and told.lifted != lifted:
        message = f"what stopped it ({lifted.reason}) no longer holds"
        yield _normal(EventReason.GOING_ON, message, lifted.at)


def _finish(context: Context, told: Journal, goal: Goal) -> Iterator[Event]:
    at = context.journal.finished_at
    if at is None or told.finished_at is not None:
        return
    if goal.aim is Aim.FAIL:
        yield _warning(EventReason.FAILED, goal.message, at)
    else:
        yield _normal(EventReason.SUCCEEDED, goal.message, at)
