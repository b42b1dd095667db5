"""What is known about a run between two reconciles."""

import tracemalloc
from collections.abc import Callable

from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.reconcile.inbox import Inbox

OLD, NEW = {"version": 1}, {"version": 2}


def test_what_was_put_need_not_be_read_and_is_a_change_once() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("tiny", NEW)

    assert "tiny" in inbox
    assert inbox.take("tiny") == NEW
    assert "tiny" not in inbox
    assert inbox.take("tiny") is None


def test_news_workloads_changed_leaves_the_run_as_it_was_kept() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.keep("tiny", OLD)
    assert "tiny" not in inbox

    inbox.note("tiny")

    assert "tiny" in inbox
    assert inbox.take("tiny") == OLD


def test_what_is_kept_never_hides_what_was_put_meanwhile() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("changed", NEW)
    inbox.put("gone", None)

    inbox.keep("changed", OLD)
    inbox.keep("gone", OLD)

    assert inbox.take("changed") == NEW
    assert inbox.take("gone") is None


def test_news_hides_what_was_kept() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.keep("tiny", OLD)

    inbox.put("tiny", None)

    assert inbox.take("tiny") is None


def test_objects_that_wait_take_little_memory() -> None:
    def body(number: int) -> Object:
        return {"status": [{"message": f"checkpoint {n} of {number}"} for n in range(100)]}

    def growth(keep: Callable[[int, Object], None]) -> int:
        tracemalloc.start()
        for number in range(50):
            keep(number, body(number))
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return grown

    plain: dict[int, Object] = {}
    inbox: Inbox[int] = Inbox()
    assert growth(inbox.put) < growth(plain.__setitem__) / 5
    assert inbox.take(7) == plain[7]
