import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lccp.api.objects.journal import Control
from lccp.store.file import FileStore
from lccp.store.objects import write
from lccp_trainer import control
from lccp_trainer.control import Asked, Requests, Stop

KEY = "default/run/control/1.json"


@pytest.fixture
def requests() -> Iterator[Requests]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Requests()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_control_object_asks_to_drain(tmp_path: Path, requests: Requests) -> None:
    store = FileStore(tmp_path)
    write(store, KEY, Control(request="Drain"))
    requests.poll(store, KEY)
    deadline = time.monotonic() + 10
    while requests.asked.stop is Stop.NO:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert requests.asked.stop is Stop.DRAIN


def test_sigterm_counts_more_than_a_drain(requests: Requests) -> None:
    requests.listen()
    requests.ask(Stop.DRAIN)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert requests.asked.stop is Stop.TERMINATE
    requests.ask(Stop.DRAIN)
    assert requests.asked.stop is Stop.TERMINATE


def test_a_state_is_asked_for_once_the_last_one_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(control.time, "monotonic", lambda: now[0])
    requests = Requests()
    assert not requests.asked.save
    requests.save_every(60)
    assert not requests.asked.save
    now[0] += 60
    assert requests.asked.save
    requests.saved()
    assert not requests.asked.save


@pytest.mark.parametrize(
    ("by_rank", "all_of_them"),
    [
        ([Asked(), Asked()], Asked()),
        ([Asked(Stop.DRAIN), Asked(Stop.TERMINATE)], Asked(Stop.TERMINATE)),
        ([Asked(Stop.DRAIN), Asked(save=True)], Asked(Stop.DRAIN, save=True)),
        ([Asked(Stop.TERMINATE), Asked(Stop.TERMINATE)], Asked(Stop.TERMINATE)),
    ],
)
def test_what_any_rank_is_asked_for_all_are(by_rank: list[Asked], all_of_them: Asked) -> None:
    sums = [sum(flags) for flags in zip(*(asked.flags() for asked in by_rank), strict=True)]
    assert Asked.of_flags(sums) == all_of_them
