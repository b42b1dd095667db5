"""Processes of this machine in place of Jobs."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput
from lccp.logs import FORMAT_VARIABLE, LogFormat
from lccp_operator.observed import Phase, Pod, Rule, WorkloadState
from lccp_operator.workloads import Evaluation, Training, Workload

SPAWN = Path(__file__).with_name("spawn.py")
PROCESSES_MAX = 64

TRAINER_NICENESS = 10
"""A trainer takes every core it is given. Evaluators run beside it and are short; at the same
priority they would fall behind the training that they are to stop in time."""


@dataclass(frozen=True)
class Programs:
    """Command lines of the programs that workloads run."""

    trainer: tuple[str, ...] = (sys.executable, "-m", "lccp_trainer.launch.launcher")
    evaluator: tuple[str, ...] = (sys.executable, "-m", "lccp_evaluator.main")


@dataclass(frozen=True)
class Workplace:
    """Where and with what the processes of a run work."""

    store: StoreConfig
    base_directory: Path
    directory: Path
    programs: Programs
    lock: int
    """File descriptor of the run's lock, which every process inherits."""


@dataclass
class _Process:
    workload: Workload
    uid: str
    popen: subprocess.Popen[bytes]
    log: Path
    deadline: float | None = None
    """When it is killed, in seconds of the monotonic clock."""
    rule: Rule | None = None
    deleted: bool = False
    killed: bool = False
    """By us, so not for lack of memory."""
    swept: bool = False

    @property
    def running(self) -> bool:
        """Whether it runs; once it does not, nothing of its group does."""
        if self.popen.poll() is None:
            return True
        if not self.swept:
            self._kill_group()
            self.swept = True
        return False

    def kill(self) -> None:
        if self.running:
            self.killed = True
            self._kill_group()
            self.popen.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)


class Processes:
    """The workloads of one run, as processes: each in a group of its own, with a log of its own.

    A gang is folded to this machine: one launcher that starts all its processes.
    """

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self._processes: dict[Workload, _Process] = {}

    def apply(self, run: LCCPRun, workload: Workload, pinned: Pinned) -> None:
        """Start the workload unless it is there. `pinned` is for clusters: here is one version."""
        if workload in self._processes:
            return
        self._processes[workload] = self._start(run, workload)

    def delete(self, run: LCCPRun, workload: Workload, wait_for_pods: bool = True) -> None:
        """End the workload: a trainer by SIGTERM, with its grace period; an evaluator at once."""
        process = self._processes.get(workload)
        if process is None or process.deleted:
            return
        process.deleted = True
        if isinstance(workload, Training):
            self.terminate(run, workload)
        else:
            process.kill()

    def terminate(self, run: LCCPRun, workload: Training) -> None:
        """Tell the trainer to save its state and end within its grace period."""
        process = self._processes[workload]
        if process.running:
            process.popen.send_signal(signal.SIGTERM)
            grace = run.spec.topology.termination_grace_period_seconds
            process.deadline = time.monotonic() + grace

    def terminate_all(self, run: LCCPRun) -> None:
        """End everything: evaluators at once, the trainer when it has saved its state."""
        for workload in list(self._processes):
            if isinstance(workload, Training):
                self.terminate(run, workload)
            else:
                self.delete(run, workload)

    def kill_all(self) -> None:
        """End everything at once."""
        for process in self._processes.values():
            process.kill()

    @property
    def running(self) -> bool:
        return any(process.running for process in self._processes.values())

    def states(self) -> tuple[WorkloadState, ...]:
        """The workloads as they are; what outlasted its deadline is killed first."""
        for workload, process in list(self._processes.items()):
            _enforce_deadline(process)
            if not process.running and process.deleted:
                del self._processes[workload]
        return tuple(_state(process) for process in self._processes.values())

    def _start(self, run: LCCPRun, workload: Workload) -> _Process:
        if not isinstance(workload, Training | Evaluation):
            raise InvalidInput("this machine runs trainings and evaluations alone")
        is_training, uid = isinstance(workload, Training), uuid.uuid4().hex
        log = self.place.directory / "logs" / f"{_log_name(workload)}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        programs = self.place.programs
        command = programs.trainer if is_training else programs.evaluator
        niceness = TRAINER_NICENESS if is_training else 0
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [*_spawner(niceness), *command],
                env=self._environment(run, workload, uid),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(self.place.lock,),
            )
        limit = None if is_training else time.monotonic() + run.spec.evaluation.deadline_seconds
        return _Process(workload, uid, popen, log, limit)

    def _environment(
        self, run: LCCPRun, workload: Training | Evaluation, uid: str
    ) -> dict[str, str]:
        place = self.place
        invocation = Invocation(
            run=folded(run) if isinstance(workload, Training) else run,
            store=place.store,
            attempt=workload.attempt if isinstance(workload, Training) else workload.number,
            tokens=None if isinstance(workload, Training) else workload.tokens,
            pod_uid=uid,
            base_directory=str(place.base_directory),
        )
        threads = _threads(invocation.run) if isinstance(workload, Training) else 1
        own = {
            "OMP_NUM_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
            FORMAT_VARIABLE: LogFormat.TEXT,
        }
        given = {variable.name: variable.value for variable in run.spec.topology.env}
        return os.environ | own | given | invocation.to_environ()


def folded(run: LCCPRun) -> LCCPRun:
    """`run` with its gang on one node. Raises InvalidInput if that is too many processes."""
    topology = run.spec.topology
    processes = topology.nodes * topology.processes_per_node
    if processes > PROCESSES_MAX:
        raise InvalidInput(
            f"spec.topology: {topology.nodes} nodes x {topology.processes_per_node} processes are "
            f"more than one machine runs ({PROCESSES_MAX}): lower them, or run on a cluster"
        )
    fold = topology.model_copy(update={"nodes": 1, "processes_per_node": processes})
    return run.model_copy(update={"spec": run.spec.model_copy(update={"topology": fold})})


def _threads(run: LCCPRun) -> int:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cores // run.spec.topology.processes_per_node)


def _spawner(niceness: int) -> list[str]:
    return [sys.executable, "-I", "-S", str(SPAWN), str(os.getpid()), str(niceness)]


def _log_name(workload: Training | Evaluation) -> str:
    match workload:
        case Training(attempt):
            return f"train-a{attempt}"
        case Evaluation(tokens, number):
            return f"eval-{tokens:015d}-{number}"


def _enforce_deadline(process: _Process) -> None:
    if process.deadline is None or not process.running or time.monotonic() < process.deadline:
        return
    if isinstance(process.workload, Evaluation):
        process.rule = Rule.DEADLINE
    process.kill()


def _state(process: _Process) -> WorkloadState:
    code = _exit_code(process.popen.poll())
    phase = Phase.RUNNING if code is None else Phase.SUCCEEDED if code == 0 else Phase.FAILED
    # A SIGKILL that is not ours is what the kernel sends when memory runs out.
    out_of_memory = code == ExitCode.KILLED and not process.killed
    pod = Pod(0, process.uid, phase, exit_code=code, out_of_memory=out_of_memory)
    return WorkloadState(
        workload=process.workload,
        phase=phase,
        pods=(pod,),
        deleting=process.deleted,
        rule=process.rule,
        log=str(process.log),
    )


def _exit_code(code: int | None) -> int | None:
    """A signal's number counts from 128 on, as for a container.

    SIGTERM ends only a process that does not listen yet, and so has nothing to save.
    """
    if code is None or code >= 0:
        return code
    return ExitCode.TERMINATED if -code == signal.SIGTERM else 128 - code
