"""A world whose model and data may be damaged, where no process is started."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trainer_world import World

from lccp import logs
from lccp_trainer.launch import launcher


@pytest.fixture
def termination_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a kubelet gives a container."""
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setattr(logs, "TERMINATION_LOG", path)
    return path


@pytest.fixture
def _no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(launcher.subprocess, "Popen", refuse)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def world(tiny: Path, tmp_path: Path, _no_process_is_started: None) -> World:
    """A world whose model and data may be damaged."""
    for name in ("model", "data"):
        shutil.copytree(tiny / name, tmp_path / name)
    return World(tmp_path)
