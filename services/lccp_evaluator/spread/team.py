"""The leading process of an evaluation, and followers that read a share of its passages.

Each follower holds the whole model, or leads the processes that do. Passages that begin alike are
one job. Jobs go to whichever process is free, and no reading depends on the number of processes.
"""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

import torch

from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.spread.opening import Opening
from lccp_evaluator.spread.orders import Job
from lccp_evaluator.spread.process import Process

MODULE = "lccp_evaluator.spread.follower"

Read = Callable[[int, Job], list[Reading]]
"""Reads the job with a number."""
Done = Callable[[int, list[Reading]], None]
"""Called with a job's number and its readings, from any thread."""


class Follower(Process):
    """Another process of this evaluation, number `number` of `processes`."""

    def __init__(self, number: int, processes: int, opening: Opening) -> None:
        name = f"process {number} of the evaluation's {processes} (0 leads)"
        super().__init__(MODULE, number * opening.plan.shards, name)
        self.tell(opening)  # a failure is reported by the first job

    def read(self, job: Job) -> list[Reading]:
        """Its readings of `job`. Raises its error, or ProcessLost."""
        self.tell(job)
        readings: list[Reading] = self.answer()
        return readings


class Team:
    """An evaluation's processes, including this one; its followers end with the context."""

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
        """Read all `jobs`, in this process with `own` and in followers, started if necessary.

        `opening` is the same in every call. Raises a process's error, or ProcessLost.
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
                self._end()  # so that no thread waits for a follower
                raise
        for other in others:
            other.result()

    def _start(self, processes: int, opening: Opening) -> None:
        needed = processes * opening.plan.shards
        if opening.plan.device == "cuda" and torch.cuda.device_count() < needed:
            raise InvalidInput(
                f"{needed} processes of an evaluation need as many devices, but this machine "
                f"has {torch.cuda.device_count()}: lower evaluation.processes (--processes)"
            )
        for number in range(1 + len(self.followers), processes):
            self.followers.append(Follower(number, self._processes, opening))

    def _end(self) -> None:
        for follower in self.followers:
            follower.end()


def _next(waiting: deque[tuple[int, Job]]) -> tuple[int, Job] | None:
    """Take the next job, so that no other thread can take it."""
    with suppress(IndexError):
        return waiting.popleft()
    return None


def _reader(follower: Follower) -> Read:
    return lambda _, job: follower.read(job)
