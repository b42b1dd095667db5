"""Events on run objects: posted once, cut to what an event holds, also while an answer is late."""

import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from a_cluster import Namespace, run_document
from operator_process import wait_for

from lccp.api.run import LCCPRun
from lccp.contract.base import MESSAGE_LENGTH_MAX
from lccp.contract.errors import Conflict
from lccp_operator.intents import Event, EventReason
from lccp_operator.kubernetes import api, events
from lccp_operator.kubernetes.events import LateAnswers, address, post

pytestmark = pytest.mark.apiserver


@pytest.fixture
def run(namespace: Namespace) -> LCCPRun:
    return LCCPRun.parse(namespace.create_run(run_document("tiny")), "tiny")


def test_a_long_event_is_cut_to_what_an_event_holds(namespace: Namespace, run: LCCPRun) -> None:
    at = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    event = Event("Warning", EventReason.REFUSED, "it is wrong " * 200, at)
    for _ in range(2):
        post(namespace.api, address(run), event)

    (posted,) = namespace.api.list(api.EVENTS, namespace.name)
    assert len(posted["message"]) == MESSAGE_LENGTH_MAX
    assert posted["message"].endswith("…")


def test_an_event_that_this_process_may_not_write_is_not_posted_yet(
    namespace: Namespace, run: LCCPRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Event("Normal", EventReason.ACCEPTED, "it is accepted", datetime.now(UTC))

    def another_leads() -> None:
        raise Conflict("another operator leads")

    with monkeypatch.context() as patched:
        patched.setattr(namespace.api, "guard", another_leads)
        assert not post(namespace.api, address(run), event)

    assert [post(namespace.api, address(run), event) for _ in range(2)] == [True, True]
    assert namespace.events("tiny") == ["Accepted"]


def test_an_event_in_a_namespace_that_is_being_deleted_is_not_tried_again(
    namespace: Namespace, run: LCCPRun
) -> None:
    namespace.api.delete(api.NAMESPACES, None, namespace.name)
    event = Event("Normal", EventReason.ACCEPTED, "it is accepted", datetime.now(UTC))

    assert post(namespace.api, address(run), event)
    assert namespace.events("tiny") == []


def test_an_answer_that_is_late_is_told_once_while_it_is_waited_for(
    namespace: Namespace, run: LCCPRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LATE_SECONDS", 0.0)
    late = LateAnswers(namespace.api)

    for request in ("creation of Job tiny-train-a1", "creation of Service x"):
        for _ in range(2):
            with late.told(address(run), request):
                late.look()

    told = [event["message"] for event in namespace.api.list(api.EVENTS, namespace.name)]
    assert len(told) == 2
    assert sum("has not answered the creation of Job tiny-train-a1" in one for one in told) == 1


def test_an_answer_in_time_is_not_told(
    namespace: Namespace, run: LCCPRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = LateAnswers(namespace.api)
    with late.told(address(run), "creation of Job tiny-train-a1"):
        late.look()
    monkeypatch.setattr(events, "LATE_SECONDS", 0.0)
    late.look()

    assert namespace.events("tiny") == []


def test_an_answer_that_comes_while_another_is_told_is_not_told(
    namespace: Namespace, run: LCCPRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LATE_SECONDS", 0.0)
    late, answered = LateAnswers(namespace.api), ExitStack()
    create = namespace.api.create

    def slowly(*what: Any) -> Any:
        answered.close()
        return create(*what)

    monkeypatch.setattr(namespace.api, "create", slowly)
    with late.told(address(run), "creation of Job tiny-train-a1"):
        answered.enter_context(late.told(address(run), "creation of Service x"))
        late.look()

    assert namespace.events("tiny") == ["AnswerLate"]


def test_what_is_late_is_told_while_it_is_followed(
    namespace: Namespace, run: LCCPRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LATE_SECONDS", 0.1)
    late, stop = LateAnswers(namespace.api), threading.Event()
    follower = threading.Thread(target=late.follow, args=(stop,))
    follower.start()

    with late.told(address(run), "creation of Job tiny-train-a1"):
        wait_for(lambda: namespace.events("tiny") == ["AnswerLate"], "nothing is told")
    stop.set()
    follower.join()
