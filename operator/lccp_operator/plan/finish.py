"""The end of a run, and when to look at it again."""

from datetime import timedelta

from lccp.api.objects.journal import Journal
from lccp_operator.intents import DeleteRun, Intent
from lccp_operator.plan import attempts, evaluations, stops
from lccp_operator.plan.goals import Course, goal
from lccp_operator.plan.scene import Scene

POLL_SECONDS = 15.0
"""Time between two looks at the store while something writes to it."""

ENDING_SECONDS = 5.0
"""Time between two looks at pods that are to end: one that does not is lost in the end."""

LEAST_SECONDS = 0.2


def noted(scene: Scene) -> Journal:
    """The journal with the time since which nothing is left to be done, or without one."""
    if not finished(scene):
        return scene.noted(finished_at=None)
    return scene.noted(finished_at=scene.journal.finished_at or scene.now)


def finished(scene: Scene) -> bool:
    """It succeeded or failed, and every complete checkpoint is done with."""
    return at_rest(scene) and goal(scene).course in (Course.END, Course.FAIL)


def at_rest(scene: Scene) -> bool:
    """Nothing runs, and nothing is to be done until the run object changes."""
    busy = scene.open_attempt is not None or any(state.live for state in scene.children)
    return not (busy or evaluations.outstanding(scene) or goal(scene).course is Course.TRAIN)


def intents(scene: Scene) -> list[Intent]:
    """The deletion of a finished run whose time to live is over."""
    left = _seconds_to_live(scene)
    return [DeleteRun()] if left is not None and left <= 0 else []


def seconds_to_next_look(scene: Scene) -> float | None:
    """Seconds until the store is to be polled, or something is due by itself; None: never."""
    waits = [seconds_to_due(scene), None if at_rest(scene) else POLL_SECONDS]
    if any(pod.deleting and not pod.over for state in scene.children for pod in state.pods):
        waits.append(ENDING_SECONDS)
    return min((wait for wait in waits if wait is not None), default=None)


def seconds_to_due(scene: Scene) -> float | None:
    """Seconds until something is due by itself; None: never."""
    waits = [_seconds_to_live(scene)]
    if not finished(scene):
        waits += [stops.seconds_to_deadline(scene), attempts.drain_seconds_left(scene)]
    if not at_rest(scene):
        waits += [attempts.backoff_seconds_left(scene), *evaluations.backing_off(scene).values()]
    due = [max(LEAST_SECONDS, wait) for wait in waits if wait is not None and wait > 0]
    return min(due, default=None)


def _seconds_to_live(scene: Scene) -> float | None:
    ttl, since = scene.spec.ttl_seconds_after_finished, scene.journal.finished_at
    if ttl is None or since is None:
        return None
    return (since + timedelta(seconds=ttl) - scene.now).total_seconds()
