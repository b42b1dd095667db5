"""Gangs of processes that train side by side, one of them at a time."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

sys.path += [str(folder) for folder in (Path(__file__).parents[2] / "tests" / "support").iterdir()]

from trainer_world import Attempt, World

BARE = Path(__file__).parent / "bare.py"
WARM_STEPS = 3
PATIENCE_SECONDS = 600


def close_at_sigterm() -> None:
    """Let SIGTERM raise, so that gangs are closed: a stopped one would else stay for ever."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))


class Gang(ABC):
    """Processes that train until they are closed; outside their turns they are stopped."""

    process: "subprocess.Popen[bytes]"

    @abstractmethod
    def ended(self) -> list[float]:
        """When its steps ended, seconds since 1970."""

    @property
    def ranks(self) -> list[psutil.Process]:
        """The processes that train and have not ended."""
        found = []
        for one in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found += [one] if "RANK" in one.environ() else []
        return found

    def warm(self) -> None:
        """Wait for its first steps, and stop it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.ended()) < WARM_STEPS:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self} made no {WARM_STEPS} steps")
            time.sleep(0.2)
        self._signal("suspend")

    @contextmanager
    def going(self) -> Iterator[None]:
        """Within the context the processes run."""
        self._signal("resume")
        try:
            yield
        finally:
            self._signal("suspend")

    def processor_seconds(self) -> float:
        """Processor time of all its processes so far."""
        times = (one.cpu_times() for one in self.ranks)
        return sum(each.user + each.system for each in times)

    def close(self) -> None:
        """Kill what is left of it."""
        for one in self.ranks if self.process.poll() is None else []:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.kill()
        self.process.wait()

    def _signal(self, what: str) -> None:
        for one in self.ranks:
            with suppress(psutil.NoSuchProcess):
                getattr(one, what)()


class Ours(Gang):
    """`lccp-train` on a run."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt, self.process = attempt, attempt.process

    def ended(self) -> list[float]:
        key = self._attempt.keys.history(self._attempt.writer)
        if self._attempt.store.stat(key) is None:
            return []
        return [record.at.timestamp() for record in self._attempt.history]


class Bare(Gang):
    """The bare loop, on two processes."""

    def __init__(self, world: World, row: int, rows: int, rate: str) -> None:
        self._ends = world.root / "ends"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--local-addr", "127.0.0.1", "--nproc-per-node", "2", str(BARE)]
        command += [str(world.root / "model"), str(world.root / "data" / "long.jsonl.gz")]
        command += [str(row), str(rows), rate, str(self._ends)]
        environ = os.environ | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
        log = (world.root / "bare.log").open("w")
        self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)

    def ended(self) -> list[float]:
        text = self._ends.read_text() if self._ends.exists() else ""
        return [float(line) for line in text.splitlines()]
