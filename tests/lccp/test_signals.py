import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest

from lccp import signals
from lccp.api.exits import ExitCode
from lccp.signals import SignalEvent

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
IMPORTED = """
import importlib, os, signal, sys

class Terminated:
    def find_spec(self, name, *_):
        if name == "pydantic":
            os.kill(os.getpid(), signal.SIGTERM)

module, function = sys.argv[1:]
sys.meta_path.insert(0, Terminated())
sys.argv[1:] = []
getattr(importlib.import_module(module), function)()
"""
"""Runs a program that is sent SIGTERM while it imports."""


@pytest.fixture
def event() -> Iterator[SignalEvent]:
    """An event that SIGUSR1 sets."""
    made = SignalEvent()
    before = signal.signal(signal.SIGUSR1, lambda *_: made.set())
    yield made
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_ends_the_wait(event: SignalEvent) -> None:
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGUSR1)).start()

    assert event.wait(30)
    assert event.is_set()
    assert event.wait()


def test_a_wait_that_nothing_ends_is_as_long_as_asked(
    event: SignalEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "LOOK_SECONDS", 30.0)
    started = time.monotonic()

    assert not event.wait(0.02)
    assert not event.wait(0)
    assert 0.02 <= time.monotonic() - started < 30
    assert not event.is_set()


class Asleep:
    """A queue whose reader sleeps on through the signal that arrives meanwhile."""

    def put(self, item: None) -> None: ...

    def get(self, timeout: float) -> None:
        signal.raise_signal(signal.SIGUSR1)
        raise Empty


def test_a_signal_that_did_not_wake_the_wait_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lccp.signals.SimpleQueue", Asleep)
    slept = SignalEvent()
    before = signal.signal(signal.SIGUSR1, lambda *_: slept.set())

    assert slept.wait()
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("lccp-train", ExitCode.TERMINATED),
        ("lccp-evaluate", ExitCode.TERMINATED),
        ("lccp-import", ExitCode.TERMINATED),
        ("lccp-operator", ExitCode.OK),
        ("lccp-exporter", ExitCode.OK),
    ],
)
def test_a_container_ends_on_sigterm_while_its_program_is_imported(
    program: str, code: ExitCode
) -> None:
    """The signal comes with the first import of pydantic, without which no program begins."""
    scripts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, function = scripts[program].partition(":")
    command = [sys.executable, "-c", IMPORTED, module, function]

    assert subprocess.run(command, timeout=60, check=False).returncode == code
