"""The process that leads an evaluation, and the followers that read a share of its passages.

Each follower holds the whole model. Passages that begin alike are one job, and jobs go to whichever
process is free, so that no reading depends on how many processes there are.
"""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Any, Self

import torch

from lccp.contract.errors import InvalidInput, LccpError
from lccp.lifeline import PARENT_PID
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.spread.orders import Failed, Job, Opening

MODULE = "lccp_evaluator.spread.follower"

Read = Callable[[int, Job], list[Reading]]
"""Reads a job, which has a number."""
Done = Callable[[int, list[Reading]], None]
"""Is told what was read of the job of a number, by any thread."""


class ProcessLost(LccpError):
    """A process of an evaluation ended before its work was done."""


class Follower:
    """Another process of this evaluation; `number` is its own among `processes`."""

    def __init__(self, number: int, processes: int) -> None:
        self._name = f"process {number} of the evaluation's {processes} (0 leads)"
        self._orders: Connection[Any, Any]
        self._orders, theirs = Pipe()
        command = [sys.executable, "-m", MODULE, str(theirs.fileno()), str(number)]
        environ = os.environ | {PARENT_PID: str(os.getpid())}
        self.process = subprocess.Popen(command, env=environ, pass_fds=[theirs.fileno()])
        theirs.close()

    def open(self, opening: Opening) -> None:
        """Have it open a model; a failure is told by the first job."""
        self._tell(opening)

    def read(self, job: Job) -> list[Reading]:
        """What it reads. Raises what it raised, or ProcessLost."""
        self._tell(job)
        try:
            answer = self._orders.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        if isinstance(answer, Failed):
            raise answer.error
        readings: list[Reading] = answer
        return readings

    def end(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def _tell(self, order: object) -> None:
        try:
            self._orders.send(order)
        except OSError:
            if not self._orders.poll():  # else it says why it ended
                raise self._lost() from None

    def _lost(self) -> ProcessLost:
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return ProcessLost(f"{self._name} was killed, as it is where memory runs out")
        return ProcessLost(f"{self._name} ended with exit code {code}: read its log")


class Team:
    """An evaluation's processes, this one among them; its followers end with the context."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self.followers: list[Follower] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self, jobs: Mapping[int, Job], opening: Opening, own: Read, done: Done) -> None:
        """Read all `jobs`, by this process with `own` and by followers, started if they are not.

        `opening` is the same in every call. Raises what a process raises, or ProcessLost.
        """
        self._start(min(self._processes, len(jobs)), opening)
        waiting = deque(jobs.items())

        def work(read: Read) -> None:
            try:
                while (taken := _next(waiting)) is not None:
                    done(taken[0], read(*taken))
            except BaseException:
                waiting.clear()
                raise

        with ThreadPoolExecutor(max(1, len(self.followers))) as pool:
            others = [pool.submit(work, _reader(one)) for one in self.followers]
            try:
                work(own)
            except BaseException:
                self._end()  # so that no thread waits for one
                raise
        for other in others:
            other.result()

    def _start(self, processes: int, opening: Opening) -> None:
        if opening.plan.device == "cuda" and torch.cuda.device_count() < processes:
            raise InvalidInput(
                f"{processes} processes of an evaluation need as many devices, but this machine "
                f"has {torch.cuda.device_count()}: lower evaluation.processes (--processes)"
            )
        for number in range(1 + len(self.followers), processes):
            self.followers.append(Follower(number, self._processes))
            self.followers[-1].open(opening)

    def _end(self) -> None:
        for follower in self.followers:
            follower.end()


def _next(waiting: deque[tuple[int, Job]]) -> tuple[int, Job] | None:
    """The next job, which another thread can't take too."""
    with suppress(IndexError):
        return waiting.popleft()
    return None


def _reader(follower: Follower) -> Read:
    return lambda _, job: follower.read(job)
