import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from lccp.api.objects.training import Heartbeat, RouterLoad, StepRecord
from lccp.contract.errors import StoreUnavailable
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_trainer import heartbeat
from lccp_trainer.goodput import WallClock
from lccp_trainer.heartbeat import Reporter

KEYS = RunKeys("default", "run")
WRITER = "a1-00000000"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Heartbeat(attempt=1, writer=WRITER, at=NOW, phase="Starting", tokens_total=100)


def a_step(step: int, loss: float = 1.0) -> StepRecord:
    return StepRecord(
        step=step, tokens=step, loss=loss, learning_rate=0.1, tokens_per_second=9.0, at=NOW
    )


class Broken:
    """A store that does not answer; it counts how often it was asked."""

    url = "s3://broken"
    asked = 0

    def put(self, key: str, data: bytes) -> str:
        self.asked += 1
        raise StoreUnavailable("store s3://broken does not answer")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path)


def beat(store: FileStore) -> Heartbeat:
    return Heartbeat.from_json(store.get(KEYS.heartbeat(WRITER)), "heartbeat")


def test_the_first_heartbeat_comes_without_being_asked_for(store: FileStore) -> None:
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    deadline = time.monotonic() + 10
    while store.stat(KEYS.heartbeat(WRITER)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert beat(store).phase == "Starting"
    reporter.finish()


def test_the_end_holds_everything(store: FileStore) -> None:
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    for step in range(1, 4):
        reporter.record(a_step(step))
    reporter.update(step=3, checkpoints=(0, 2))
    reporter.finish()
    last = beat(store)
    assert (last.phase, last.step, last.checkpoints) == ("Ending", 3, (0, 2))
    assert last.at > NOW
    lines = store.get(KEYS.history(WRITER)).splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


@pytest.mark.slow
def test_a_problem_stands_in_the_heartbeat_until_the_end(store: FileStore) -> None:
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    reporter.update(problem="store s3://x does not answer")
    deadline = time.monotonic() + 10
    while store.stat(KEYS.heartbeat(WRITER)) is None or not beat(store).problem:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert beat(store).problem == "store s3://x does not answer"
    reporter.finish()
    assert beat(store).problem is None


def test_a_loss_that_is_no_number_stays_json(store: FileStore) -> None:
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    reporter.record(a_step(1, float("nan")))
    reporter.finish()
    line = store.get(KEYS.history(WRITER))
    assert json.loads(line, parse_constant=pytest.fail)["loss"] == "NaN"


def test_a_store_that_does_not_answer_holds_nothing_up() -> None:
    broken = Broken()
    reporter = Reporter(broken, KEYS, FIRST, WallClock(time.time()))
    reporter.record(a_step(1))
    reporter.finish()
    assert broken.asked >= 2


def test_the_history_is_written_when_it_is_asked_for(store: FileStore) -> None:
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    for step in (1, 2):
        reporter.record(a_step(step))
        reporter.flush()
        assert len(store.get(KEYS.history(WRITER)).splitlines()) == step
    reporter.finish()


def test_states_are_told_at_once(store: FileStore) -> None:
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    reporter.tell_states((20, 40))
    assert beat(store).states == (20, 40)
    reporter.finish()


def test_an_older_heartbeat_does_not_overwrite_a_newer_one(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the store took long over it."""
    begun, let_go, put = threading.Event(), threading.Event(), store.put

    def slowly(key: str, data: bytes) -> str:
        if threading.current_thread().name == "heartbeat" and not begun.is_set():
            begun.set()
            let_go.wait(10)
        return put(key, data)

    monkeypatch.setattr(store, "put", slowly)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 60.0)
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    assert begun.wait(10)
    telling = threading.Thread(target=reporter.tell_states, args=[(20,)])
    telling.start()
    telling.join(0.1)
    let_go.set()
    telling.join(10)
    assert beat(store).states == (20,)
    reporter.finish()


class Counting:
    """A store that only counts what is written, by the last part of its key."""

    def __init__(self) -> None:
        self.written = Counter[str]()

    def put(self, key: str, data: bytes) -> str:
        self.written[key.rpartition("/")[2]] += 1
        return ""


def test_the_history_is_written_less_often_than_the_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.001)
    store = Counting()
    reporter = Reporter(cast(Any, store), KEYS, FIRST, WallClock(time.time()))
    while store.written["heartbeat.json"] < 20:
        reporter.record(a_step(1))
        time.sleep(0.001)
    reporter.finish()
    assert store.written["history.jsonl"] <= 2


def test_a_history_that_can_t_be_written_says_so() -> None:
    reporter = Reporter(Broken(), KEYS, FIRST, WallClock(time.time()))
    reporter.record(a_step(1))
    with pytest.raises(StoreUnavailable):
        reporter.flush()
    reporter.finish()


def test_the_newest_load_of_the_experts_lies_beside_the_history(store: FileStore) -> None:
    reporter = Reporter(store, KEYS, FIRST, WallClock(time.time()))
    for step in (1, 2):
        reporter.record(a_step(step), RouterLoad(step=step, load=(((0.25, 0.75),),)))
    reporter.finish()
    assert RouterLoad.from_json(store.get(KEYS.routers(WRITER)), "routers").step == 2


def test_the_heartbeat_tells_where_the_time_went(store: FileStore) -> None:
    clock = WallClock(time.time() - 100)
    reporter = Reporter(store, KEYS, FIRST, clock)
    clock.turn_to("productive")
    reporter.finish()
    assert beat(store).ledger.starting == pytest.approx(100, abs=5)
