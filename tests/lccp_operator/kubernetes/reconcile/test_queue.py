"""The work queue: each key at most once at a time, soonest first."""

import math
import queue as queues
import threading
from collections.abc import Callable

import pytest

from lccp_operator.kubernetes.reconcile.queue import (
    BESIDE_URGENT,
    CALM_SECONDS,
    HEAD_START_SECONDS,
    SLOW_SECONDS,
    WorkQueue,
)


class Clock:
    """Stands still, or goes on a little once it was read so often."""

    now = 0.0
    readings_left = math.inf

    def __call__(self) -> float:
        self.readings_left -= 1
        if self.readings_left == 0:
            self.now += 2e-3
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock)


Queue = WorkQueue[str]


def test_the_soonest_comes_first(queue: Queue, clock: Clock) -> None:
    queue.add("late", 5)
    queue.add("soon", 1)
    clock.now = 10

    assert [queue.take(), queue.take()] == ["soon", "late"]


def test_an_urgent_key_goes_before_those_that_have_been_due_longer(
    queue: Queue, clock: Clock
) -> None:
    queue.add("a")
    queue.add("b", 1)
    clock.now = 2
    queue.add("c", urgent=True)

    assert [queue.take(), queue.take(), queue.take()] == ["c", "a", "b"]


def test_a_key_that_waits_can_become_urgent(queue: Queue, clock: Clock) -> None:
    queue.add("a")
    queue.add("b", 1)
    clock.now = 2
    assert len(queue) == 2
    queue.add("b", urgent=True)

    assert [queue.take(), queue.take()] == ["b", "a"]


def test_urgent_keys_starve_nobody(queue: Queue, clock: Clock) -> None:
    queue.add("a")
    clock.now = HEAD_START_SECONDS + 1
    queue.add("b", urgent=True)

    assert [queue.take(), queue.take()] == ["a", "b"]


def test_few_others_are_in_work_beside_urgent_keys(queue: Queue, clock: Clock) -> None:
    queue.add("urgent", urgent=True)
    others = [f"other {i}" for i in range(BESIDE_URGENT + 2)]
    for other in others:
        queue.add(other)

    assert [queue.take() for _ in range(1 + BESIDE_URGENT)] == ["urgent", *others[:-2]]
    assert queue.take_now() is None
    queue.done(others[0])
    assert queue.take() == others[-2]


def test_few_others_are_in_work_until_the_urgent_key_is_done(queue: Queue, clock: Clock) -> None:
    queue.add("urgent", urgent=True)
    queue.take()
    clock.now = (CALM_SECONDS + SLOW_SECONDS) / 2
    for i in range(BESIDE_URGENT + 1):
        queue.add(f"other {i}")

    assert [queue.take_now() for _ in range(BESIDE_URGENT + 1)] == ["other 0", "other 1", None]


def test_others_go_on_beside_workers_that_wait_long_for_an_answer(
    queue: Queue, clock: Clock
) -> None:
    for i in range(2 * BESIDE_URGENT + 1):
        queue.add(f"other {i}")
    queue.add("urgent", urgent=True)
    waiting = [queue.take() for _ in range(1 + BESIDE_URGENT)]
    clock.now = SLOW_SECONDS
    queue.add("new", urgent=True)
    assert queue.take() == "new"

    assert [queue.take() for _ in range(BESIDE_URGENT)] == ["other 2", "other 3"]
    assert queue.take_now() is None
    clock.now += CALM_SECONDS
    queue.note_progress()
    queue.done("new")
    assert waiting[0] == "urgent"
    assert queue.take_now() is None


def test_an_urgent_key_that_waits_long_for_an_answer_holds_nobody_back(
    queue: Queue, clock: Clock
) -> None:
    queue.add("urgent", urgent=True)
    others = [f"other {i}" for i in range(BESIDE_URGENT + 2)]
    queue.take()
    clock.now = SLOW_SECONDS
    for other in others:
        queue.add(other)

    assert [queue.take() for _ in others] == others


def test_those_held_back_by_slow_workers_are_handed_out_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lccp_operator.kubernetes.reconcile.queue.SLOW_SECONDS", 0.2)
    queue: Queue = WorkQueue()
    queue.add("urgent", urgent=True)
    for i in range(BESIDE_URGENT + 1):
        queue.add(f"other {i}")
    for _ in range(1 + BESIDE_URGENT):
        queue.take()

    assert queue.take() == f"other {BESIDE_URGENT}"


@pytest.mark.parametrize("readings", range(1, 12))
def test_those_held_back_are_handed_out_even_if_time_passes_during_the_look(readings: int) -> None:
    clock = Clock()
    queue: Queue = WorkQueue(clock)
    queue.add("urgent", urgent=True)
    for i in range(BESIDE_URGENT + 1):
        queue.add(f"other {i}")
    for _ in range(1 + BESIDE_URGENT):
        queue.take()
    clock.now = SLOW_SECONDS - 1e-3
    clock.readings_left = readings
    found: queues.Queue[str | None] = queues.Queue()
    threading.Thread(target=lambda: found.put(queue.take()), daemon=True).start()

    assert found.get(timeout=10) == f"other {BESIDE_URGENT}"


def test_others_are_held_back_until_a_moment_after_the_last_urgent_key(
    queue: Queue, clock: Clock
) -> None:
    queue.add("urgent", urgent=True)
    others = {f"other {i}" for i in range(BESIDE_URGENT + 2)}
    for other in others:
        queue.add(other)
    taken = {queue.take() for _ in range(1 + BESIDE_URGENT)}
    clock.now = 3
    queue.done("urgent")

    clock.now = 3 + 0.9 * CALM_SECONDS
    assert queue.take_now() is None
    queue.add("urgent", urgent=True)
    assert queue.take_now() == "urgent"
    queue.done("urgent")
    clock.now += CALM_SECONDS
    assert taken | {queue.take(), queue.take()} == others | {"urgent"}


def test_many_others_that_waited_long_leave_workers_to_urgent_keys(
    queue: Queue, clock: Clock
) -> None:
    queue.add("first", urgent=True)
    for i in range(BESIDE_URGENT + 2):
        queue.add(f"other {i}")
    queue.take()
    clock.now = 2 * HEAD_START_SECONDS
    queue.add("second", urgent=True)

    taken = [queue.take() for _ in range(BESIDE_URGENT + 1)]
    assert taken == [*(f"other {i}" for i in range(BESIDE_URGENT)), "second"]


def test_those_held_back_are_handed_out_when_it_is_calm() -> None:
    queue: Queue = WorkQueue()
    queue.add("urgent", urgent=True)
    others = {f"other {i}" for i in range(BESIDE_URGENT + 3)}
    for other in others:
        queue.add(other)
    queue.take()
    found: queues.Queue[str | None] = queues.Queue()
    for _ in others:
        threading.Thread(target=lambda: found.put(queue.take()), daemon=True).start()
    begun = {found.get(timeout=5) for _ in range(BESIDE_URGENT)}

    queue.done("urgent")

    assert begun | {found.get(timeout=5) for _ in range(3)} == others


def test_a_key_is_urgent_only_until_it_was_taken(queue: Queue, clock: Clock) -> None:
    queue.add("a", urgent=True)
    queue.take()
    queue.done("a")
    queue.add("b")
    clock.now = 1
    queue.add("a")

    assert [queue.take(), queue.take()] == ["b", "a"]


def test_an_urgent_key_is_not_handed_out_before_it_is_due(queue: Queue, clock: Clock) -> None:
    queue.add("a", 5, urgent=True)
    queue.add("b", 1)
    clock.now = 1

    assert queue.take_now() == "b"
    assert queue.take_now() is None


def test_a_key_that_is_not_due_is_waited_for(queue: Queue, clock: Clock) -> None:
    queue.add("a", 5)

    assert queue.take_now() is None
    clock.now = 5
    assert queue.take_now() == "a"


def test_a_key_is_moved_forward_but_never_back(queue: Queue, clock: Clock) -> None:
    queue.add("a", 5)
    queue.add("a", 1)
    queue.add("a", 9)
    clock.now = 1

    assert queue.take_now() == "a"
    clock.now = 20
    assert queue.take_now() is None


def test_a_key_in_work_is_handed_out_again_only_when_it_is_done(queue: Queue) -> None:
    queue.add("a")
    assert queue.take() == "a"
    queue.add("a")

    assert queue.take_now() is None
    queue.done("a")
    assert queue.take() == "a"


@pytest.mark.parametrize(
    ("prepare", "seconds"),
    [
        (lambda queue: None, 0),
        (lambda queue: queue.add("a", 8), 2),
        (lambda queue: (queue.add("a"), queue.take()), 10),
    ],
    ids=["empty", "waiting", "in work"],
)
def test_what_waits_or_works_too_long_is_seen(
    queue: Queue, clock: Clock, prepare: Callable[[Queue], None], seconds: float
) -> None:
    prepare(queue)
    clock.now = 10

    assert queue.overdue_seconds() == seconds


def test_a_worker_whose_calls_end_is_slow_and_does_not_hang(queue: Queue, clock: Clock) -> None:
    queue.add("a")
    queue.take()
    queue.add("a")
    clock.now = 10
    queue.note_progress()
    clock.now = 13

    assert queue.overdue_seconds() == 3
    queue.done("a")
    clock.now = 20
    queue.note_progress()
    assert queue.overdue_seconds() == 7


def test_a_key_that_waits_while_workers_get_on_with_others_is_not_overdue(
    queue: Queue, clock: Clock
) -> None:
    queue.add("a")
    queue.add("b")
    queue.take()
    clock.now = 10
    queue.note_progress()
    clock.now = 13

    assert queue.overdue_seconds() == 3


def test_the_length_counts_what_is_due(queue: Queue) -> None:
    queue.add("now")
    queue.add("later", 5)

    assert len(queue) == 1


def test_closing_sends_those_who_wait_home() -> None:
    queue: Queue = WorkQueue()
    found: list[str | None] = []
    waiting = threading.Thread(target=lambda: found.append(queue.take()))
    waiting.start()

    queue.close()
    waiting.join(5)

    assert found == [None]
