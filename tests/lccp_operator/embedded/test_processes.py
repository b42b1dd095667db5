"""Workloads as local processes."""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import warm_stub
from laptop import lives, wait_for
from operator_world import a_small_run

from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput
from lccp_operator.embedded.processes import (
    FORKED_BY,
    Processes,
    ProcessSettings,
    Programs,
    check_gang,
)
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.state import EndingRule, Phase, WorkloadState
from lccp_operator.workloads.training import Training

RUN = a_small_run()
TRAINING, EVALUATION = Training(1), Evaluation(8_192, number=2)

Start = Callable[..., Processes]


class Clock:
    """Seconds pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def processes_of(
    directory: Path,
    trainer: str,
    evaluator: str,
    clock: Callable[[], float] = time.monotonic,
    lock: int | None = None,
) -> Iterator[Processes]:
    """Workloads that are shell scripts; none outlives the test."""
    programs = Programs(("sh", "-c", trainer), ("sh", "-c", evaluator))
    lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR) if lock is None else lock
    config = StoreConfig(url=f"file://{directory}")
    settings = ProcessSettings(config, directory, directory, programs, lock)
    processes = Processes(settings, clock)
    try:
        yield processes
    finally:
        processes.kill_all()
        with suppress(OSError):
            os.close(lock)


def apply(processes: Processes, *workloads: Any, run: LCCPRun = RUN) -> None:
    for workload in workloads:
        processes.apply(run, workload, Pinned())


def only(processes: Processes) -> WorkloadState:
    (state,) = processes.states().values()
    return state


def ended(processes: Processes) -> bool:
    return all(state.ended for state in processes.states().values())


def log(directory: Path, name: str) -> str:
    return (directory / "logs" / f"{name}.log").read_text()


def test_a_workload_is_started_once_and_logs_to_a_file_of_its_own(tmp_path: Path) -> None:
    with processes_of(tmp_path, "echo out; echo err >&2", "exit 0") as processes:
        apply(processes, TRAINING, TRAINING, EVALUATION)
        wait_for(lambda: ended(processes))

        assert [state.phase for state in processes.states().values()] == [Phase.SUCCEEDED] * 2
        assert log(tmp_path, "train-a1") == "out\nerr\n"
        assert log(tmp_path, "eval-intrinsic-000000000008192") == ""


def test_a_workload_is_told_what_to_do_by_its_environment(tmp_path: Path) -> None:
    topology = {"nodes": 2, "processesPerNode": 2, "env": [{"name": "NCCL_DEBUG", "value": "INFO"}]}
    run = a_small_run(topology=topology)
    with processes_of(tmp_path, "env", "env") as processes:
        apply(processes, TRAINING, EVALUATION, run=run)
        wait_for(lambda: ended(processes))

    trainer = dict(line.split("=", 1) for line in log(tmp_path, "train-a1").splitlines())
    evaluator = log(tmp_path, "eval-intrinsic-000000000008192").splitlines()
    told = dict(line.split("=", 1) for line in evaluator if "=" in line)
    gang, probe = Invocation.from_environ(trainer), Invocation.from_environ(told)
    assert (gang.attempt, gang.tokens) == (1, None)
    assert gang.run == probe.run == "default/tiny"
    assert (probe.attempt, probe.tokens) == (2, 8_192)
    assert gang.pod_uid != probe.pod_uid
    assert (trainer["NCCL_DEBUG"], trainer["OMP_NUM_THREADS"]) == ("INFO", "1")
    assert told["OMP_NUM_THREADS"] == "1"


def test_a_run_of_many_long_texts_starts(tmp_path: Path) -> None:
    """Its spec is longer than the kernel lets one variable or argument be (128 KiB)."""
    text = " ".join(["word"] * 140)
    parts = ("stem", "key", "question")
    needles = [{part: f"{part} {n} {text}" for part in parts} for n in range(64)]
    run = a_small_run(evaluation={"probes": {"niah": {"needles": needles}}})
    assert len(run.model_dump_json()) > 128 * 1024

    with processes_of(tmp_path, "exit 0", "exit 0") as processes:
        apply(processes, TRAINING, EVALUATION, run=run)
        wait_for(lambda: ended(processes))
        phases = [state.phase for state in processes.states().values()]

    assert phases == [Phase.SUCCEEDED] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "code", "out_of_memory"),
    [
        ("exit 64", 64, False),
        ("kill -SEGV $$", 139, False),
        ("kill -KILL $$", 137, True),
        ("kill -TERM $$", 75, False),
    ],
)
def test_exit_codes_are_those_of_a_container(
    tmp_path: Path, script: str, code: int, out_of_memory: bool
) -> None:
    with processes_of(tmp_path, script, "exit 0") as processes:
        apply(processes, TRAINING)
        wait_for(lambda: ended(processes))

        (pod,) = only(processes).pods
        assert (pod.exit_code, pod.out_of_memory) == (code, out_of_memory)


def test_an_evaluator_past_its_deadline_is_killed(tmp_path: Path) -> None:
    run = a_small_run(evaluation={"deadlineSeconds": 10})
    clock = Clock()
    with processes_of(tmp_path, "exit 0", "sleep 60", clock) as processes:
        apply(processes, EVALUATION, run=run)
        assert only(processes).phase is Phase.RUNNING
        clock.now += 10

        state = only(processes)
        assert (state.phase, state.rule) == (Phase.FAILED, EndingRule.DEADLINE)
        assert not state.pods[0].out_of_memory


def test_a_deleted_trainer_has_its_grace_period_and_then_goes(tmp_path: Path) -> None:
    script = "trap 'echo saved; exit 75' TERM; echo ready; while :; do sleep 0.02; done"
    with processes_of(tmp_path, script, "exit 0") as processes:
        apply(processes, TRAINING)
        wait_for(lambda: "ready" in log(tmp_path, "train-a1"))

        processes.delete(RUN, TRAINING)
        wait_for(lambda: not processes.states())

        assert log(tmp_path, "train-a1") == "ready\nsaved\n"


def test_a_trainer_that_does_not_end_in_its_grace_period_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.02; done"
    clock = Clock()
    with processes_of(tmp_path, script, "exit 0", clock) as processes:
        apply(processes, TRAINING)
        wait_for(lambda: "ready" in log(tmp_path, "train-a1"))

        processes.delete(RUN, TRAINING)
        assert only(processes).deleting
        clock.now += RUN.spec.topology.termination_grace_period_seconds

        assert processes.states() == {}


def test_a_deleted_evaluator_ends_soon_and_can_be_started_again(tmp_path: Path) -> None:
    with processes_of(tmp_path, "exit 0", "exec sleep 60") as processes:
        apply(processes, EVALUATION)
        processes.delete(RUN, EVALUATION)
        wait_for(lambda: not processes.states())

        apply(processes, EVALUATION)
        assert only(processes).phase is Phase.RUNNING


def test_what_a_workload_leaves_in_its_process_group_ends_with_it(tmp_path: Path) -> None:
    with processes_of(tmp_path, "sleep 60 & echo $!", "exit 0") as processes:
        apply(processes, TRAINING)
        wait_for(lambda: ended(processes))
        orphan = int(log(tmp_path, "train-a1"))

        wait_for(lambda: not lives(orphan))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks evaluators")
def test_an_evaluator_of_probes_is_forked_and_one_of_an_external_suite_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORKED_BY, ("sh", "-c", "echo ordinary"), warm_stub.COMMAND)
    monkeypatch.setenv("DO", "print('forked')")
    suite = {"name": "mine", "command": ["true"], "signals": ["score"]}
    run = a_small_run(evaluation={"suites": [suite]})
    with processes_of(tmp_path, "exit 0", "echo ordinary") as processes:
        apply(processes, EVALUATION, Evaluation(8_192, "mine"), run=run)
        wait_for(lambda: ended(processes))

    assert log(tmp_path, "eval-intrinsic-000000000008192") == "forked\n"
    assert log(tmp_path, "eval-mine-000000000008192") == "ordinary\n"


def test_what_is_no_process_here_is_refused(tmp_path: Path) -> None:
    with (
        processes_of(tmp_path, "exit 0", "exit 0") as processes,
        pytest.raises(InvalidInput, match="cannot run purger"),
    ):
        apply(processes, Purge())


def test_a_workload_holds_the_lock_of_its_engine(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    with processes_of(tmp_path, "sleep 60", "exit 0", lock=lock) as processes:
        fcntl.flock(lock, fcntl.LOCK_EX)
        apply(processes, TRAINING)
        os.close(lock)  # as the kernel does when the engine is killed

        with (tmp_path / "lock").open("r") as other:
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            processes.kill_all()
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_gang_of_more_processes_than_a_machine_runs_is_refused() -> None:
    check_gang(a_small_run(topology={"nodes": 8, "processesPerNode": 8}))
    with pytest.raises(InvalidInput, match="9 nodes x 8 processes"):
        check_gang(a_small_run(topology={"nodes": 9, "processesPerNode": 8}))
