"""Outages of a store, detected once for all its runs."""

import threading
from contextlib import suppress
from datetime import datetime
from functools import partial

import pytest
from operator_world import KEYS, START, MemoryStore

from lccp.api.conditions import Reason
from lccp.api.objects.journal import Acceptance, Journal
from lccp.contract.errors import InvalidInput, LccpError, StoreRefused, StoreUnavailable
from lccp.store.port import ObjectInfo
from lccp_operator.kubernetes import store_health
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.records import record_deletion


class Moody(MemoryStore):
    """A store that fails as it is told."""

    failure: LccpError | None = None

    def list(self, prefix: str) -> list[ObjectInfo]:
        if self.failure is not None:
            raise self.failure
        return super().list(prefix)


def asked(*failures: LccpError | None) -> tuple[StoreHealth, list[datetime | None]]:
    """The health after asking once for each of them, and the outages that were told."""
    store, told = Moody(), list[datetime | None]()
    health = StoreHealth(store, lambda health: told.append(health.outage and health.outage.since))
    for store.failure in failures:
        health.ask()
    return health, told


SILENT = StoreUnavailable("store memory:// does not answer: refused")
REFUSED = InvalidInput("store memory:// refuses")


def test_an_outage_is_told_once_with_its_beginning_and_its_end() -> None:
    _, told = asked(None, SILENT, StoreUnavailable("other words"), None, None)

    assert len(told) == 2
    assert told[0] is not None
    assert told[1] is None


def test_a_store_that_refuses_something_else_is_told_anew() -> None:
    health, told = asked(SILENT, REFUSED, REFUSED, StoreRefused("there is no such bucket"), SILENT)

    assert len(told) == 4
    assert len(set(told)) == 1
    assert health.outage is not None


def test_another_way_to_fail_is_told_once_it_stands() -> None:
    """Not each of several that take turns: every run of the store would be told each time."""
    other = StoreUnavailable("store memory:// does not answer: no answer within the time allowed")
    _, told = asked(SILENT, other, SILENT, other)
    assert len(told) == 1

    health, told = asked(SILENT, other, other, other, SILENT)
    assert len(told) == 2
    assert len(set(told)) == 1
    assert health.outage is not None


def test_an_outage_says_since_when_and_what_then() -> None:
    first, (began,) = asked(SILENT)
    assert first.outage is not None
    first.ask()

    outage = first.outage
    assert (outage.since, outage.reason) == (began, Reason.STORE_UNREACHABLE)
    assert outage.why.startswith("store memory:// does not answer: refused: nothing is started")
    assert outage.watched


class Trickling(MemoryStore):
    """A store whose answers go on and on until it is told `to_end`."""

    def __init__(self) -> None:
        super().__init__()
        self.to_end = threading.Event()

    def list(self, prefix: str) -> list[ObjectInfo]:
        assert self.to_end.wait(20)
        return super().list(prefix)


def test_an_answer_that_trickles_in_is_an_outage_until_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_health, "ANSWER_SECONDS", 0.2)
    store = Trickling()
    health = StoreHealth(store, print)

    for _ in range(2):
        health.ask()
        assert health.outage is not None
        assert "takes more than 0.2 s to answer in full: nothing is started" in health.outage.why

    store.to_end.set()
    health.ask()
    assert health.outage is None


def test_an_answer_that_still_trickles_in_hides_no_store_that_answers_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_health, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(store_health, "AWAITED_SECONDS", 0.1)
    store = Trickling()
    health = StoreHealth(store, print)
    health.ask()
    assert health.outage is not None

    monkeypatch.setattr(store, "list", lambda prefix: [])
    health.ask()

    assert health.outage is None
    store.to_end.set()


@pytest.mark.parametrize("before", [None, SILENT], ids=["it answered", "it did not"])
def test_a_store_that_refuses_is_of_no_use_either(before: LccpError | None) -> None:
    health, _ = asked(before, REFUSED)

    assert health.outage is not None
    assert health.outage.why.startswith("store memory:// refuses: nothing is started or judged")
    assert "keys" in health.outage.why


MARK = partial(record_deletion, keys=KEYS, run_uid="mine", guard=lambda: None)


@pytest.mark.parametrize("failure", [SILENT, REFUSED], ids=["silent", "refusing"])
def test_a_deletion_waits_for_the_end_of_an_outage_without_asking(failure: LccpError) -> None:
    store = Moody()
    health = StoreHealth(store, lambda _: None)
    store.put(KEYS.journal, Journal(accepted=Acceptance(run_uid="mine", at=START)).to_json())
    store.failure = failure
    health.ask()
    store.gets.clear()

    assert not health.tell(MARK)
    assert store.gets == []

    store.failure = None
    health.ask()
    assert health.tell(MARK)
    assert b"deletedAt" in store.get(KEYS.journal)


class ReadOnly(MemoryStore):
    """A store that replaces no object any more, once it has a `failure`."""

    failure: LccpError | None = None

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        if self.failure is not None:
            raise self.failure
        return super().put_if_match(key, data, etag)


@pytest.mark.parametrize("failure", [SILENT, REFUSED], ids=["full", "refusing"])
def test_a_store_that_takes_no_record_of_a_deletion_is_out(failure: LccpError) -> None:
    store = ReadOnly()
    health = StoreHealth(store, lambda _: None)
    health.ask()
    store.put(KEYS.journal, Journal(accepted=Acceptance(run_uid="mine", at=START)).to_json())
    store.failure = failure

    with suppress(StoreUnavailable):
        assert not health.tell(MARK)
    assert health.outage is None
    health.ask()

    assert health.outage is not None


class Overwriting(MemoryStore):
    """A store that ignores the condition of a conditional put, while it is told to."""

    ignores = True

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        return self.put(key, data) if self.ignores else super().put_if_match(key, data, etag)


def test_a_store_that_can_not_be_written_is_out_until_it_can() -> None:
    store = Overwriting()
    health = StoreHealth(store, lambda _: None)
    health.ask()
    assert health.outage is not None
    assert "ignores If-Match" in health.outage.why

    store.ignores = False
    health.ask()
    assert health.outage is None


def test_a_store_that_refused_a_write_is_asked_by_writing() -> None:
    store = Overwriting()
    store.ignores = False
    health = StoreHealth(store, lambda _: None)
    health.ask()
    writes = store.version
    health.ask()
    assert store.version == writes

    store.ignores = True
    health.doubt()
    health.ask()
    assert health.outage is not None
