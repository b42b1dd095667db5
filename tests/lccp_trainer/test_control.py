import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lccp.api.objects.journal import Control
from lccp.store.file import FileStore
from lccp.store.objects import write
from lccp_trainer.control import Stop, StopRequests

KEY = "default/run/control/1.json"


@pytest.fixture
def requests() -> Iterator[StopRequests]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield StopRequests()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_control_object_asks_to_drain(tmp_path: Path, requests: StopRequests) -> None:
    store = FileStore(tmp_path)
    write(store, KEY, Control(request="Drain"))
    requests.poll(store, KEY)
    deadline = time.monotonic() + 10
    while requests.asked is Stop.NO:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert requests.asked is Stop.DRAIN


def test_sigterm_counts_more_than_a_drain(requests: StopRequests) -> None:
    requests.listen()
    requests.ask(Stop.DRAIN)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert requests.asked is Stop.TERMINATE
    requests.ask(Stop.DRAIN)
    assert requests.asked is Stop.TERMINATE
