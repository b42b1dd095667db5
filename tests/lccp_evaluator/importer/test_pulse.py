"""The heartbeat continues while a checkpoint is copied or converted, and SIGTERM is handled."""

from itertools import count
from pathlib import Path

import pytest

from lccp.api.objects.journal import Control
from lccp.api.objects.training import Heartbeat
from lccp.contract.errors import StoreUnavailable
from lccp.signals import SignalEvent
from lccp.store import objects
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_evaluator.importer.pulse import BEAT_SECONDS, ImportStopped, Pulse, Task

KEYS, WRITER = RunKeys("default", "attached"), "a1-00000000"


class Counted(FileStore):
    """Counts what is put; once it is `away`, nothing can be put."""

    puts, away = 0, False

    def put(self, key: str, data: bytes) -> str:
        if self.away:
            raise StoreUnavailable("away")
        self.puts += 1
        return super().put(key, data)


@pytest.fixture
def store(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def a_pulse(store: Counted, step: float, ended: SignalEvent | None = None) -> Pulse:
    """A pulse whose clock advances by `step` seconds with each look."""
    task = Task(store, KEYS, 1, WRITER, 500)
    return Pulse(task, ended or SignalEvent(), count(step=step).__next__)


def test_what_was_told_last_is_told_again_once_it_is_old(store: Counted) -> None:
    pulse = a_pulse(store, BEAT_SECONDS)
    pulse.beat((10, 20), "one is late")
    pulse.tick()

    assert store.puts == 2
    beat = objects.read(store, KEYS.heartbeat(WRITER), Heartbeat)
    assert (beat.checkpoints, beat.problem) == ((10, 20), "one is late")


def test_it_tells_which_checkpoint_is_worked_on(store: Counted) -> None:
    pulse = a_pulse(store, BEAT_SECONDS)
    pulse.beat((), "")
    pulse.imports = "step-10"
    pulse.tick()

    assert objects.read(store, KEYS.heartbeat(WRITER), Heartbeat).imports == "step-10"


def test_what_was_told_just_now_is_not_told_again(store: Counted) -> None:
    pulse = a_pulse(store, BEAT_SECONDS / 100)
    pulse.beat((), "")
    pulse.tick()

    assert store.puts == 1


def test_a_store_that_is_away_is_left_to_the_work_itself(store: Counted) -> None:
    pulse = a_pulse(store, BEAT_SECONDS)
    pulse.beat((), "")
    store.away = True

    pulse.tick()


def test_it_stops_when_it_is_told_to(store: Counted) -> None:
    ended = SignalEvent()
    ended.set()

    with pytest.raises(ImportStopped):
        a_pulse(store, 1.0, ended).tick()


def test_a_drain_is_heard_while_it_works(store: Counted) -> None:
    pulse = a_pulse(store, BEAT_SECONDS)
    pulse.beat((10,), "")
    pulse.tick()
    objects.write(store, KEYS.control(1), Control(request="Drain"))

    with pytest.raises(ImportStopped):
        pulse.tick()
    assert pulse.newest == 10
