"""What is known of a run between two looks."""

from lccp_operator.kubernetes.heard import Heard

OLD, NEW = {"version": 1}, {"version": 2}


def test_what_was_heard_need_not_be_read_and_is_news_once() -> None:
    heard: Heard[str] = Heard()
    heard.of_run("tiny", NEW)

    assert "tiny" in heard
    assert heard.take("tiny") == NEW
    assert "tiny" not in heard
    assert heard.take("tiny") is None


def test_news_of_children_leaves_the_run_as_it_was_kept() -> None:
    heard: Heard[str] = Heard()
    heard.keep("tiny", OLD)
    assert "tiny" not in heard

    heard.of_children("tiny")

    assert "tiny" in heard
    assert heard.take("tiny") == OLD


def test_what_is_kept_never_hides_what_was_heard_meanwhile() -> None:
    heard: Heard[str] = Heard()
    heard.of_run("changed", NEW)
    heard.of_run("gone", None)

    heard.keep("changed", OLD)
    heard.keep("gone", OLD)

    assert heard.take("changed") == NEW
    assert heard.take("gone") is None


def test_news_hides_what_was_kept() -> None:
    heard: Heard[str] = Heard()
    heard.keep("tiny", OLD)

    heard.of_run("tiny", None)

    assert heard.take("tiny") is None
