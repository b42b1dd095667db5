"""Events: what this look changed, told once.

They come from the journal and the verdict as they were and as they are, so that after a status was
emptied nothing is told twice.
"""

from collections.abc import Iterator

from lccp.api.labels import tokens_key
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.verdict import CheckpointVerdict
from lccp_operator.intents import Event, EventReason
from lccp_operator.plan.acceptance import Refusal
from lccp_operator.plan.goals import Course, Goal
from lccp_operator.plan.scene import Scene

NOTE_LENGTH_MAX = 1_024


def of(scene: Scene, goal: Goal) -> tuple[Event, ...]:
    """The events of an accepted run, in the order in which things happened."""
    changes = (
        *_acceptance(scene),
        *_evaluations(scene),
        *_verdict(scene),
        *_stop(scene, goal),
        *_attempts(scene),
        *_finish(scene, goal),
    )
    return tuple(_short(event) for event in changes)


def of_refusal(scene: Scene, refusal: Refusal) -> tuple[Event, ...]:
    """The event of a refusal that the status does not tell yet."""
    before = scene.run.status.conditions if scene.run.status else ()
    told = any(condition.message == refusal.message for condition in before)
    return () if told else (_short(_warning(EventReason.REFUSED, refusal.message)),)


def _normal(reason: EventReason, message: str) -> Event:
    return Event("Normal", reason, message)


def _warning(reason: EventReason, message: str) -> Event:
    return Event("Warning", reason, message)


def _short(event: Event) -> Event:
    if len(event.message) <= NOTE_LENGTH_MAX:
        return event
    return Event(event.type, event.reason, f"{event.message[: NOTE_LENGTH_MAX - 1]}…")


def _acceptance(scene: Scene) -> Iterator[Event]:
    if scene.facts.journal.accepted != scene.journal.accepted:
        adopted = f", and goes on after {_counted(scene)}" if scene.facts.holds_a_run else ""
        yield _normal(EventReason.ACCEPTED, f"the run is accepted{adopted}")


def _counted(scene: Scene) -> str:
    n = len(scene.facts.checkpoints)
    return f"{n} checkpoint{'' if n == 1 else 's'} in the store"


def _attempts(scene: Scene) -> Iterator[Event]:
    before = {attempt.number: attempt for attempt in scene.facts.journal.attempts}
    for attempt in scene.journal.attempts:
        was = before.get(attempt.number)
        if was is None:
            yield _normal(EventReason.ATTEMPT_STARTED, f"attempt {attempt.number} starts")
        if attempt.ended_at is not None and (was is None or was.ended_at is None):
            yield _end(attempt)
        elif attempt.drain_asked_at is not None and (was is None or was.drain_asked_at is None):
            message = f"attempt {attempt.number} is asked to save its state and end"
            yield _normal(EventReason.DRAINING, message)


def _end(attempt: AttemptRecord) -> Event:
    message = f"attempt {attempt.number} {attempt.message}"
    if attempt.counted:
        return _warning(EventReason.ATTEMPT_FAILED, message)
    return _normal(EventReason.ATTEMPT_ENDED, message)


def _evaluations(scene: Scene) -> Iterator[Event]:
    judged = {c.tokens: c for c in scene.verdict.checkpoints} if scene.verdict else {}
    for tokens in sorted(scene.facts.checkpoints):
        outcome = scene.outcome(tokens)
        if outcome is None or scene.facts.journal.evaluations.get(tokens_key(tokens)) == outcome:
            continue
        if outcome.result == "Succeeded":
            message = f"checkpoint {tokens:,}{_values(judged.get(tokens))}"
            yield _normal(EventReason.CHECKPOINT_EVALUATED, message)
        else:
            message = f"checkpoint {tokens:,}, try {outcome.tries}: {outcome.message}"
            yield _warning(EventReason.EVALUATION_FAILED, message)


def _values(judged: CheckpointVerdict | None) -> str:
    if judged is None or judged.niah_ppl is None or judged.niah_score is None:
        return ""
    return f": NIAH-PPL {judged.niah_ppl:.4g}, NIAH score {judged.niah_score:.3g}"


def _verdict(scene: Scene) -> Iterator[Event]:
    before = scene.facts.verdict.state if scene.facts.verdict else None
    if scene.verdict is not None and scene.verdict.state is not before:
        message = f"{scene.verdict.state}: {' '.join([*scene.verdict.evidence[:1]])}"
        yield _normal(EventReason.VERDICT_CHANGED, f"{message} {scene.verdict.advice}".strip())


def _stop(scene: Scene, goal: Goal) -> Iterator[Event]:
    before, stop = scene.facts.journal.stop, scene.journal.stop
    if stop is not None and before != stop:
        yield _normal(EventReason.STOPPING, goal.message)
    if stop is None and before is not None:
        yield _normal(EventReason.GOING_ON, f"what stopped it ({before.reason}) no longer holds")


def _finish(scene: Scene, goal: Goal) -> Iterator[Event]:
    if scene.facts.journal.finished_at is None and scene.journal.finished_at is not None:
        if goal.course is Course.FAIL:
            yield _warning(EventReason.FAILED, goal.message)
        else:
            yield _normal(EventReason.SUCCEEDED, goal.message)
