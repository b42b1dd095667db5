"""What is known of a run between two reconciles."""

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
