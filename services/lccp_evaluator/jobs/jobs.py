"""Several checkpoints at a time: the first fixes samples and plan, the others are independent."""

import os
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from multiprocessing.connection import wait

import torch

from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.contract.errors import Conflict, InvalidInput
from lccp_evaluator.estimate import EvaluationCost
from lccp_evaluator.failure import failure_of
from lccp_evaluator.jobs.child import MeasuringOrder
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.spread.process import Process, ProcessLost

MODULE = "lccp_evaluator.jobs.child"
VISIBLE = "CUDA_VISIBLE_DEVICES"

Event = EvaluationCost | Done | EvaluationReport | EvaluationFailure
Devices = Mapping[str, str]
"""Environment variables that give one process its own devices."""


def devices_of(jobs: int | None, asked: Execution) -> list[Devices]:
    """Devices for each of `jobs` checkpoints at a time, as many as are `asked` for.

    None: as many as there are devices for, and one on a CPU. Raises InvalidInput if there are
    fewer devices.
    """
    processes = asked.processes
    if ExecutionPlan.here(asked).device == "cpu":
        return [{}] * (jobs or 1)
    named = os.environ.get(VISIBLE)
    devices = named.split(",") if named else [str(n) for n in range(torch.cuda.device_count())]
    count = jobs or max(1, len(devices) // processes)
    if jobs is not None and jobs * processes > len(devices):
        raise InvalidInput(
            f"--jobs: {jobs} checkpoints at a time need {jobs * processes} CUDA devices, but there "
            f"are {len(devices)}: give at most {len(devices) // processes}"
        )
    return [
        {VISIBLE: ",".join(devices[first : first + processes])}
        for first in range(0, count * processes, processes)
    ]


class MeasuringProcess(Process):
    """A process that measures `checkpoint` on the devices with `number`."""

    def __init__(
        self,
        series: EvaluationSeries,
        checkpoint: CheckpointDirectory,
        number: int,
        devices: Devices,
    ) -> None:
        super().__init__(MODULE, number, f"the process that measured {checkpoint.path}", devices)
        self.checkpoint, self.number, self._series = checkpoint, number, series
        self.tell(MeasuringOrder(checkpoint, series.settings, series.out))

    def event(self) -> Event:
        """What it says next; that it was lost, or its checkpoint changed, is a failure."""
        try:
            said: Event = self.answer()
        except ProcessLost as error:
            return self._series.failed(self.checkpoint, error)
        except Conflict as error:
            return failure_of(error)
        return said


class Jobs:
    """Measures checkpoints into `series`, one on each of `devices` at a time."""

    def __init__(self, series: EvaluationSeries, devices: Sequence[Devices]) -> None:
        self._series, self._devices = series, devices
        self.running: list[MeasuringProcess] = []

    def events(
        self, checkpoints: Sequence[CheckpointDirectory]
    ) -> Generator[tuple[CheckpointDirectory, Event]]:
        """What happens to which checkpoint, as it happens; the last is a report or a failure.

        Until there is a report, one is measured alone. Closing the iterator ends all processes.
        Raises what `EvaluationSeries.evaluate` does, except Conflict.
        """
        waiting = deque(checkpoints)
        try:
            self._start(waiting)
            while self.running:
                for job in self._speaking():
                    event = job.event()
                    yield job.checkpoint, event
                    if isinstance(event, EvaluationReport | EvaluationFailure):
                        job.end()
                        self.running.remove(job)
                        self._start(waiting)
        finally:
            for job in self.running:
                job.end()

    def _start(self, waiting: deque[CheckpointDirectory]) -> None:
        most = 1 if self._series.plan() is None else len(self._devices)
        free = set(range(most)) - {job.number for job in self.running}
        for number, _ in zip(sorted(free), list(waiting), strict=False):
            devices = self._devices[number]
            self.running.append(MeasuringProcess(self._series, waiting.popleft(), number, devices))

    def _speaking(self) -> list[MeasuringProcess]:
        ready = wait([job.orders for job in self.running])
        return [job for job in self.running if job.orders in ready]
