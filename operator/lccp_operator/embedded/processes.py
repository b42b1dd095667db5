"""Processes of this machine instead of Jobs."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lccp.api.exits import ExitCode
from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput
from lccp.logs import FORMAT_VARIABLE, LogFormat
from lccp_operator.embedded.children import Warm, start
from lccp_operator.workloads.kind import PodSet, Workload
from lccp_operator.workloads.state import EndingRule, Phase, Pod, SavedState, WorkloadState

PROCESSES_MAX = 64

GANG_NICENESS = 10
"""A gang uses every core it is given. Evaluators run beside it and are short; at the same
priority they would fall behind the training that they should stop in time."""

EVALUATOR = (sys.executable, "-m", "lccp_evaluator")
FORKED_BY: dict[tuple[str, ...], tuple[str, ...]] = {
    EVALUATOR: (sys.executable, "-m", "lccp_evaluator.starting.warm")
}
"""Programs that import libraries for seconds, and those that fork them with these imported."""


@dataclass(frozen=True)
class Programs:
    """Command lines of the workloads' programs, by the name of their container."""

    trainer: tuple[str, ...] = (sys.executable, "-m", "lccp_trainer.launch")
    evaluator: tuple[str, ...] = EVALUATOR
    importer: tuple[str, ...] = (sys.executable, "-m", "lccp_evaluator.importer")

    def of(self, pods: PodSet) -> tuple[str, ...]:
        """The program of these pods. Raises InvalidInput for one that only clusters run."""
        found: tuple[str, ...] | None = vars(self).get(pods.container)
        if found is None:
            raise InvalidInput(f"this machine cannot run {pods.container}")
        return found


@dataclass(frozen=True)
class ProcessSettings:
    """Store, folders, programs and lock of a run's processes."""

    store: StoreConfig
    base_directory: Path
    directory: Path
    programs: Programs
    lock: int
    """File descriptor of the run's lock, which every process inherits."""


@dataclass
class _Process:
    uid: str
    popen: subprocess.Popen[bytes]
    pods: PodSet
    log: Path
    deadline: float | None
    """When its deadline is over, in seconds of the clock."""
    killed_at: float | None = None
    """When its grace period is over."""
    rule: EndingRule | None = None
    deleted: bool = False
    killed: bool = False
    """By us, so not for lack of memory."""
    swept: bool = False

    @property
    def running(self) -> bool:
        """Whether it runs; once it does not, no process of its group does."""
        if self.popen.poll() is None:
            return True
        if not self.swept:
            self._kill_group()
            self.swept = True
        return False

    def terminate(self, now: float) -> None:
        """SIGTERM, then SIGKILL when its grace period is over."""
        if self.running and self.killed_at is None:
            self.popen.send_signal(signal.SIGTERM)
            self.killed_at = now + self.pods.grace_seconds

    def kill(self) -> None:
        if self.running:
            self.killed = True
            self._kill_group()
            self.popen.wait()

    def enforce_limits(self, now: float) -> None:
        """Kill it if it has outlasted its deadline or its grace period."""
        if self.running and self.deadline is not None and now >= self.deadline:
            self.rule = EndingRule.DEADLINE
            self.kill()
        if self.killed_at is not None and now >= self.killed_at:
            self.kill()

    def state(self) -> WorkloadState:
        code = _exit_code(self.popen.poll())
        phase = Phase.RUNNING if code is None else Phase.SUCCEEDED if code == 0 else Phase.FAILED
        # A SIGKILL that is not ours is what the kernel sends when memory runs out.
        out_of_memory = code == ExitCode.KILLED and not self.killed
        pod = Pod(0, self.uid, phase, exit_code=code, out_of_memory=out_of_memory)
        return WorkloadState(
            phase=phase, pods=(pod,), deleting=self.deleted, rule=self.rule, log=str(self.log)
        )

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)


class Processes:
    """The workloads of one run, as processes: each in its own group, with its own log.

    A gang is folded onto this machine: one launcher starts all its processes.
    """

    def __init__(
        self, settings: ProcessSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._processes: dict[Workload, _Process] = {}
        self._forking: dict[tuple[str, ...], Warm] = {}

    def apply(self, run: LCCPRun, workload: Workload, pinned: Pinned) -> None:
        """Start the workload unless it exists. `pinned` is for clusters: here is one version."""
        if workload not in self._processes:
            self._processes[workload] = self._start(run, workload, workload.pods(run, pinned))

    def tell_state(self, run: LCCPRun, workload: Workload, state: SavedState) -> None:
        """Does nothing: no queue evicts processes."""

    def delete(self, run: LCCPRun, workload: Workload, wait_for_pods: bool = True) -> None:
        """End the workload: SIGTERM, and SIGKILL when its grace period is over."""
        process = self._processes.get(workload)
        if process is not None and not process.deleted:
            process.deleted = True
            process.terminate(self._clock())

    def terminate_all(self) -> None:
        """End everything: a process with a state to save may do so within its grace period."""
        for process in self._processes.values():
            process.terminate(self._clock())

    def kill_all(self) -> None:
        """End everything at once."""
        for process in self._processes.values():
            process.kill()
        for warm in self._forking.values():
            warm.end()

    @property
    def running(self) -> bool:
        return any(process.running for process in self._processes.values())

    def states(self) -> Mapping[Workload, WorkloadState]:
        """The current workloads; those that exceeded their limits are killed first."""
        for workload, process in list(self._processes.items()):
            process.enforce_limits(self._clock())
            if not process.running and process.deleted:
                del self._processes[workload]
        return {workload: process.state() for workload, process in self._processes.items()}

    def _start(self, run: LCCPRun, workload: Workload, pods: PodSet) -> _Process:
        uid, settings = uuid.uuid4().hex, self._settings
        log = settings.directory / "logs" / f"{workload.suffix}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = settings.programs.of(pods)
        niceness = GANG_NICENESS if pods.is_gang else 0
        environ = self._environment(run, pods, uid)
        with log.open("ab") as output:
            if command in FORKED_BY and pods.external is None and sys.platform == "linux":
                popen = self._warm(command).start(command, environ, output)
            else:
                popen = start(command, environ, output, [settings.lock], niceness)
        limit = pods.deadline_seconds
        return _Process(uid, popen, pods, log, None if limit is None else self._clock() + limit)

    def _warm(self, command: tuple[str, ...]) -> Warm:
        if command not in self._forking:
            self._forking[command] = Warm(FORKED_BY[command], self._settings.lock)
        return self._forking[command]

    def _environment(self, run: LCCPRun, pods: PodSet, uid: str) -> dict[str, str]:
        told = pods.invocation(run, self._settings.store)
        invocation = told.model_copy(
            update={"pod_uid": uid, "base_directory": str(self._settings.base_directory)}
        )
        own = {
            "OMP_NUM_THREADS": str(_threads(pods)),
            "PYTHONUNBUFFERED": "1",
            FORMAT_VARIABLE: LogFormat.TEXT,
        }
        given = {variable.name: variable.value for variable in pods.spec.env}
        return os.environ | own | given | invocation.to_environ()


def check_gang(run: LCCPRun) -> None:
    """Raise InvalidInput if the gang has more processes than one machine runs."""
    topology = run.spec.topology
    processes = topology.nodes * topology.processes_per_node
    if processes > PROCESSES_MAX:
        raise InvalidInput(
            f"spec.topology: {topology.nodes} nodes x {topology.processes_per_node} processes are "
            f"more than one machine runs ({PROCESSES_MAX}): lower them, or run on a cluster"
        )


def _threads(pods: PodSet) -> int:
    """All cores for the processes of a gang, one for processes beside it."""
    if not pods.is_gang:
        return 1
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cores // (pods.count * pods.processes))


def _exit_code(code: int | None) -> int | None:
    """A signal is reported as 128 plus its number, as for a container.

    SIGTERM ends only a process that has no handler for it yet, and so has nothing to save.
    """
    if code is None or code >= 0:
        return code
    return ExitCode.TERMINATED if -code == signal.SIGTERM else 128 - code
