"""Attempts of the training gang: one at a time, each ended before the next begins.

The journal is brought up to date first (`settled`, `steered`); the intents then make the children
what the journal says. So a crash between the two is healed by the next look.
"""

import hashlib
from datetime import timedelta

from lccp.api.objects.journal import AttemptRecord, Cause, Control, Gang, Journal
from lccp_operator.children import Training
from lccp_operator.intents import ApplyChild, DeleteChild, Intent, WriteControl
from lccp_operator.observed import ChildState, Phase
from lccp_operator.plan import backoff
from lccp_operator.plan.causes import WORDS, Ending, of_training
from lccp_operator.plan.goals import Course, counted_failures, goal
from lccp_operator.plan.scene import Scene

ATTEMPTS_KEPT = 2
"""Ended attempts whose children stay, for their logs."""

NOT_BEGUN = Ending(Cause.DRAINED, "had not begun when it was no longer wanted")


def settled(scene: Scene) -> Journal:
    """The journal with the end of the open attempt, if it is seen, and the pods of its gang."""
    attempt = scene.open_attempt
    if attempt is None:
        return scene.journal
    ending = _ending(scene, attempt)
    if ending is not None:
        return _closed(scene, attempt, ending)
    gang = _gang(scene, attempt)
    return scene.journal if gang is None else scene.noted(gang=gang)


def steered(scene: Scene) -> Journal:
    """The journal with what the goal asks for: a new attempt, or a drain of the open one."""
    attempt, course = scene.open_attempt, goal(scene).course
    if attempt is None:
        return _opened(scene) if course is Course.TRAIN and ready(scene) else scene.journal
    if course is Course.TRAIN or scene.training_complete or attempt.drain_asked_at is not None:
        return scene.journal
    if scene.gang is None or not scene.gang.begun:
        return _closed(scene, attempt, NOT_BEGUN)
    return _replaced(scene, attempt.model_copy(update={"drain_asked_at": scene.now}))


def intents(scene: Scene) -> list[Intent]:
    """What makes the children those that the journal asks for."""
    return [*_deletions(scene), *_of_open_attempt(scene)]


def ready(scene: Scene) -> bool:
    """A new attempt may begin: the old ones are gone, and the wait is over."""
    return not old_gang_lives(scene) and backoff_seconds_left(scene) <= 0


def old_gang_lives(scene: Scene) -> bool:
    current = scene.open_attempt
    number = current.number if current else None
    return any(state.live for child, state in scene.trainings.items() if child.attempt != number)


def backoff_seconds_left(scene: Scene) -> float:
    """Seconds until the wait after the last counted failure is over."""
    last, failures = scene.last_attempt, counted_failures(scene)
    if last is None or last.ended_at is None or last not in failures:
        return 0.0
    policy = scene.spec.restart_policy
    return backoff.seconds_left(policy, len(failures), last.ended_at, scene.now)


def drain_seconds_left(scene: Scene) -> float | None:
    """Seconds that the open attempt has left to save and end; None: it was not asked to."""
    attempt = scene.open_attempt
    if attempt is None or attempt.drain_asked_at is None:
        return None
    limit = timedelta(seconds=scene.spec.saturation.drain_timeout_seconds)
    return (attempt.drain_asked_at + limit - scene.now).total_seconds()


def _ending(scene: Scene, attempt: AttemptRecord) -> Ending | None:
    child, end = scene.gang, scene.facts.ends.get(attempt.number)
    begun = end is not None or attempt.number in scene.facts.heartbeats
    if child.ended or child.bereft if child is not None else begun:
        return of_training(
            child,
            end,
            drain_asked=attempt.drain_asked_at is not None,
            newest_checkpoint=scene.newest_checkpoint,
        )
    if child is not None and _incoherent(scene, attempt, child):
        return Ending(Cause.INCOHERENT_GANG, WORDS[Cause.INCOHERENT_GANG])
    return None


def _incoherent(scene: Scene, attempt: AttemptRecord, child: ChildState) -> bool:
    before, now = scene.journal.gang, _gang_of(attempt, child)
    if before is None or now is None:
        return False
    same_start = (before.attempt, before.started_at) == (now.attempt, now.started_at)
    return same_start and before.digest != now.digest


def _gang(scene: Scene, attempt: AttemptRecord) -> Gang | None:
    return None if scene.gang is None else _gang_of(attempt, scene.gang)


def _gang_of(attempt: AttemptRecord, child: ChildState) -> Gang | None:
    """The gang, once all its pods have begun."""
    pods = sorted((pod.index, pod.uid) for pod in child.pods if pod.phase is not Phase.PENDING)
    if child.started_at is None or len(pods) != child.pods_expected:
        return None
    digest = hashlib.sha256(repr(pods).encode()).hexdigest()
    return Gang(attempt=attempt.number, started_at=child.started_at, digest=digest)


def _opened(scene: Scene) -> Journal:
    told = {*scene.facts.heartbeats, *scene.facts.ends}
    last = max((a.number for a in scene.journal.attempts), default=0)
    record = AttemptRecord(number=max(last, *told, 0) + 1, started_at=scene.now)
    return scene.noted(attempts=(*scene.journal.attempts, record))


def _closed(scene: Scene, attempt: AttemptRecord, ending: Ending) -> Journal:
    update = {
        "ended_at": scene.now,
        "cause": ending.cause,
        "counted": ending.counted,
        "message": ending.message,
    }
    return _replaced(scene, AttemptRecord.model_validate(attempt.model_dump() | update))


def _replaced(scene: Scene, last: AttemptRecord) -> Journal:
    return scene.noted(attempts=(*scene.journal.attempts[:-1], last))


def _deletions(scene: Scene) -> list[Intent]:
    current, last = scene.open_attempt, scene.last_attempt
    newest = last.number if last else 0
    return [
        DeleteChild(child, wait_for_pods=not state.abandoned)
        for child, state in scene.trainings.items()
        if (state.abandoned or not state.deleting)
        and (current is None or child.attempt != current.number)
        and (state.live or child.attempt <= newest - ATTEMPTS_KEPT)
    ]


def _of_open_attempt(scene: Scene) -> list[Intent]:
    attempt, child = scene.open_attempt, scene.gang
    if attempt is None:
        return []
    found: list[Intent] = []
    if attempt.drain_asked_at is not None and attempt.number not in scene.facts.drains:
        found.append(WriteControl(attempt.number, Control(request="Drain")))
    if child is None and not old_gang_lives(scene):
        found.append(ApplyChild(Training(attempt.number), scene.pinned))
    overdue = (drain_seconds_left(scene) or 0) < 0
    if child is not None and overdue and not child.deleting:
        found.append(DeleteChild(Training(attempt.number)))
    return found
