"""The embedded engine with real processes; stub programs replace trainer and evaluator."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laptop import Laptop, wait_for
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    START,
    a_small_run,
    conditions,
    heartbeat_of,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType
from lccp.api.invocation import StoreConfig
from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput, StoreRefused
from lccp_operator.apply import apply
from lccp_operator.embedded import RunSnapshot
from lccp_operator.embedded import engine as engine_module
from lccp_operator.embedded.engine import EmbeddedEngine
from lccp_operator.intents import EventReason

pytestmark = pytest.mark.slow

POLICY = {"maxRestarts": 1, "backoffSeconds": 0}
FIRST, SECOND, BUDGET = EVERY_TOKENS, 2 * EVERY_TOKENS, 3 * EVERY_TOKENS
CHECKPOINTS = [FIRST, SECOND, BUDGET]

Engines = list["subprocess.Popen[str]"]


def a_run(tokens: int = BUDGET, **spec: Any) -> LCCPRun:
    training = {"tokens": tokens, "globalBatchTokens": 4_096, "learningRate": "1.5e-4"}
    parts = {"restartPolicy": POLICY, "evaluation": {"concurrency": 2}, "training": training}
    return a_small_run(**parts | spec)


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    made = Laptop(tmp_path)
    made.make_ready()
    return made


def test_a_run_trains_is_evaluated_and_succeeds_while_it_is_shown(laptop: Laptop) -> None:
    snapshots: list[RunSnapshot] = []

    outcome = laptop.run(a_run(), on_snapshot=snapshots.append)

    assert (outcome.state, outcome.message) == ("Succeeded", "trained its budget of tokens")
    assert laptop.checkpoints() == CHECKPOINTS
    assert laptop.evaluated == dict.fromkeys(CHECKPOINTS, 1)
    assert outcome.verdict is not None
    assert outcome.verdict.at_tokens == BUDGET
    told = [event.reason for snapshot in snapshots for event in snapshot.events]
    assert told[0] is EventReason.ACCEPTED
    assert told.count(EventReason.CHECKPOINT_EVALUATED) == len(CHECKPOINTS)
    assert told[-1] is EventReason.SUCCEEDED
    assert snapshots[-1].heartbeat is not None
    assert snapshots[-1].verdict == outcome.verdict
    log = (outcome.directory / "logs" / "train-a1.log").read_text()
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    assert log == f"threads {cores}, niceness {min(19, 10 + os.nice(0))}\n"
    evaluation = (outcome.directory / "logs" / f"eval-intrinsic-{FIRST:015d}.log").read_text()
    assert evaluation == f"threads 1, niceness {os.nice(0)}\n"


SUITE = """
import json, os, pathlib
signal = {"name": "tokens", "value": int(os.environ["LCCP_TOKENS"]), "n": 1, "better": "Higher"}
pathlib.Path(os.environ["LCCP_SIGNALS"]).write_text(json.dumps({"signals": [signal]}))
"""


@pytest.mark.long
def test_an_external_suite_measures_checkpoints_and_the_verdict_shows_its_signals(
    laptop: Laptop,
) -> None:
    command = ["sh", "-c", 'test -d $(LCCP_CHECKPOINT) && "$0" -c "$1"', sys.executable, SUITE]
    suite = {"name": "my-tests", "command": command, "signals": ["tokens"]}

    outcome = laptop.run(a_run(FIRST, evaluation={"suites": [suite]}))

    assert outcome.state == "Succeeded"
    assert outcome.verdict is not None
    (checkpoint,) = outcome.verdict.checkpoints
    assert checkpoint.values["my_tests/tokens"] == FIRST
    assert "niah_ppl" in checkpoint.values


def test_a_finished_run_gives_its_verdict_again_and_starts_nothing(laptop: Laptop) -> None:
    first = laptop.run(a_run())
    logs = sorted((first.directory / "logs").iterdir())

    again = laptop.run(a_run())

    assert again.state == "Succeeded"
    assert again.verdict == first.verdict
    assert laptop.evaluated == dict.fromkeys(CHECKPOINTS, 1)
    assert sorted((first.directory / "logs").iterdir()) == logs


@pytest.mark.long
def test_a_raised_budget_goes_on(laptop: Laptop) -> None:
    laptop.run(a_run())

    outcome = laptop.run(a_run(tokens=BUDGET + EVERY_TOKENS))

    assert outcome.state == "Succeeded"
    assert laptop.evaluated == dict.fromkeys([*CHECKPOINTS, BUDGET + EVERY_TOKENS], 1)


def test_a_command_whose_newest_state_was_deleted_is_refused_in_one_sentence(
    laptop: Laptop,
) -> None:
    laptop.run(a_run())
    (writer,) = {info.key.split("/")[3] for info in laptop.store.list(KEYS.trainings)}
    beat = heartbeat_of(1, BUDGET, START).model_copy(update={"states": (BUDGET,)})
    laptop.store.put(KEYS.heartbeat(writer), beat.to_json())
    more = a_run(tokens=BUDGET + EVERY_TOKENS)

    with pytest.raises(InvalidInput, match=rf"no training state of {BUDGET:,} tokens .* Restart"):
        laptop.run(more)

    laptop.store.put(KEYS.state_manifest(BUDGET), b"{}")
    assert laptop.run(more).state == "Succeeded"


def test_another_spec_under_this_name_is_refused_in_one_sentence(laptop: Laptop) -> None:
    laptop.run(a_run())
    before = {info.key: info.etag for info in laptop.store.list(KEYS.prefix)}
    model = {"source": "model", "targetContextLength": 512, "ropeBase": 80_000}

    with pytest.raises(InvalidInput, match=r"model\.ropeBase is 40000 there and 80000 here"):
        laptop.run(a_run(model=model))

    after = {info.key: info.etag for info in laptop.store.list(KEYS.prefix)}
    assert {key for key in after if after[key] != before.get(key)} == {f"{KEYS.prefix}engine.lock"}


def test_a_model_that_the_run_would_not_train_is_refused_before_a_process_starts(
    laptop: Laptop,
) -> None:
    (laptop.root / "model").mkdir()
    config = laptop.root / "model" / "config.json"
    config.write_text('{"model_type": "mistral", "sliding_window": 128}')

    refused = r"^model\.source: .* the last 128 tokens only"
    with pytest.raises(InvalidInput, match=refused):
        laptop.run(a_run())
    assert not laptop.logs.exists()

    new = StoreConfig(url=f"file://{laptop.root}/new/store")
    with pytest.raises(InvalidInput, match=refused):
        EmbeddedEngine(a_run(), new, laptop.root).run()
    assert not (laptop.root / "new").exists()

    config.write_text("is for the trainer to tell")
    assert laptop.run(a_run()).state == "Succeeded"


@pytest.mark.parametrize(
    ("code", "cause", "state"),
    [
        (64, Cause.CONFIGURATION, "Failed"),
        (70, Cause.INTERNAL, "Succeeded"),
        (75, Cause.TERMINATED, "Succeeded"),
        (76, Cause.NOT_FINITE, "Failed"),
    ],
)
def test_the_exit_code_of_the_trainer_decides_what_follows(
    laptop: Laptop, code: int, cause: Cause, state: str
) -> None:
    outcome = laptop.run(a_run(), "--fail", f"1:{code}")

    attempts = laptop.journal.attempts
    assert outcome.state == state
    assert attempts[0].cause is cause
    assert len(attempts) == (2 if state == "Succeeded" else 1)
    walls = [(a.ended_at - a.started_at).total_seconds() for a in attempts if a.ended_at]
    assert [sum(a.seconds.values()) for a in attempts] == [round(wall) for wall in walls]
    assert laptop.evaluated == dict.fromkeys(laptop.checkpoints(), 1)


@pytest.mark.long
def test_a_failed_run_is_tried_again_by_the_same_command(laptop: Laptop) -> None:
    failed = laptop.run(a_run(), "--fail", "1:64")
    assert failed.state == "Failed"
    assert failed.message.endswith(": correct it and run the same command again")

    assert laptop.run(a_run(), "--fail", "1:64").state == "Succeeded"


@pytest.mark.long
def test_a_store_that_refuses_for_a_while_is_waited_for(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def refused_at_first(*parts: Any) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise StoreRefused("store s3://lccp: refuses these credentials (AccessDenied)")
        apply(*parts)

    monkeypatch.setattr(engine_module, "apply", refused_at_first)
    told: list[str] = []

    def show(snapshot: RunSnapshot) -> None:
        conditions = snapshot.run.status.conditions if snapshot.run.status else ()
        told.extend(c.message for c in conditions if c.type is ConditionType.DEGRADED)

    outcome = laptop.run(a_run(), "--fail", "1:77", on_snapshot=show)

    assert outcome.state == "Succeeded"
    assert told[0].startswith("store s3://lccp: refuses these credentials (AccessDenied): ")
    assert told[-1] == ""
    assert [attempt.cause for attempt in laptop.journal.attempts] == [
        Cause.STORE_REFUSED,
        Cause.COMPLETED,
    ]


@pytest.mark.long
def test_a_failing_evaluator_is_tried_again(laptop: Laptop) -> None:
    outcome = laptop.run(a_run(evaluation={"retries": 1}), evaluator=("--fail", "1:70"))

    assert outcome.state == "Succeeded"
    assert {o.tries for o in laptop.journal.evaluations.values()} == {2}
    log = outcome.directory / "logs" / f"eval-intrinsic-{EVERY_TOKENS:015d}.log"
    assert len(log.read_text().splitlines()) == 2


def test_an_evaluator_that_keeps_failing_is_shown_with_its_log(laptop: Laptop) -> None:
    outcome = laptop.run(a_run(evaluation={"retries": 0}), evaluator=("--fail", "9:70"))

    assert outcome.state == "Succeeded"
    assert conditions(outcome.run)["Degraded"] == ("True", "EvaluationFailed")
    degraded = outcome.conditions[ConditionType.DEGRADED].message
    assert f"eval-intrinsic-{EVERY_TOKENS:015d}.log" in degraded


@pytest.mark.long
def test_a_manifest_of_any_size_can_be_started(laptop: Laptop) -> None:
    needle = {"stem": "s" * 700, "key": "k" * 700, "question": "q" * 700}
    niah = {"lengths": [512], "needles": [needle] * 64, "needlesPerHaystack": 64}

    outcome = laptop.run(a_run(evaluation={"probes": {"niah": niah}}))

    assert outcome.state == "Succeeded"


def test_suspend_holds_the_run_and_the_next_command_goes_on(laptop: Laptop) -> None:
    held = laptop.run(with_spec(a_run(), suspend=True))
    assert held.state == "Suspended"
    assert laptop.checkpoints() == []

    assert laptop.run(a_run()).state == "Succeeded"


def test_a_gang_that_no_machine_runs_is_refused(laptop: Laptop) -> None:
    topology = {"nodes": 16, "processesPerNode": 8}

    with pytest.raises(InvalidInput, match=r"spec\.topology: 16 nodes x 8 processes"):
        laptop.run(a_run(topology=topology))


def test_a_damaged_journal_is_refused_and_nothing_is_started(laptop: Laptop) -> None:
    laptop.store.put(KEYS.journal, b"{")

    with pytest.raises(InvalidInput, match=r"journal\.json: is not JSON"):
        laptop.run(a_run())

    assert not (laptop.root / KEYS.prefix / "logs").exists()


@pytest.fixture
def engines() -> Iterator[Engines]:
    """Engines that a test starts; none outlives it."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    started: Engines = []
    yield started
    for engine in started:
        engine.kill()
        engine.communicate()


def test_sigint_saves_and_ends_all_processes_and_the_same_command_resumes(
    laptop: Laptop, engines: Engines
) -> None:
    engines.append(start_waiting(laptop))

    engines[0].send_signal(signal.SIGINT)
    output, _ = engines[0].communicate(timeout=60)

    assert output == "Interrupted\n"
    assert laptop.processes() == []
    attempt = laptop.journal.attempts[-1]
    assert (attempt.cause, attempt.counted) == (Cause.TERMINATED, False)
    assert laptop.run(a_run()).state == "Succeeded"
    assert len(laptop.journal.attempts) == 2
    assert laptop.evaluated == dict.fromkeys(CHECKPOINTS, 1)


def test_under_nohup_a_closed_terminal_does_not_end_the_run(laptop: Laptop) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        outcome = laptop.run(a_run(), on_snapshot=lambda _: os.kill(os.getpid(), signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)

    assert outcome.state == "Succeeded"


def test_a_closed_terminal_lets_the_trainer_save_though_it_sends_its_signal_twice(
    laptop: Laptop,
) -> None:
    def hang_up(snapshot: RunSnapshot) -> None:
        if FIRST in laptop.reported() and not snapshot.ending:
            os.kill(os.getpid(), signal.SIGHUP)  # bash
            os.kill(os.getpid(), signal.SIGHUP)  # the kernel, once bash has ended

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        outcome = laptop.run(a_run(), "--wait-at", str(SECOND), on_snapshot=hang_up)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert outcome.state == "Interrupted"
    assert laptop.journal.attempts[-1].cause is Cause.TERMINATED


@pytest.mark.parametrize("error", [OSError, SystemExit])
def test_a_view_that_nobody_reads_any_more_does_not_keep_the_trainer_from_saving(
    laptop: Laptop, error: type[BaseException]
) -> None:
    def show(snapshot: RunSnapshot) -> None:
        if snapshot.ending:
            raise error
        if FIRST in laptop.reported():
            os.kill(os.getpid(), signal.SIGINT)

    outcome = laptop.run(a_run(), "--wait-at", str(SECOND), on_snapshot=show)

    assert outcome.state == "Interrupted"
    assert laptop.journal.attempts[-1].cause is Cause.TERMINATED


@pytest.mark.long
def test_a_second_signal_ends_a_trainer_that_does_not_listen(
    laptop: Laptop, engines: Engines
) -> None:
    engines.append(start_waiting(laptop, "--deaf"))

    engines[0].send_signal(signal.SIGINT)
    wait_for(lambda: not any(is_evaluator(pid) for pid in laptop.processes()))
    assert engines[0].poll() is None
    engines[0].send_signal(signal.SIGINT)

    assert engines[0].communicate(timeout=60)[0] == "Interrupted\n"
    assert laptop.processes() == []


@pytest.mark.long
def test_a_killed_engine_leaves_no_process_and_the_same_command_resumes(
    laptop: Laptop, engines: Engines
) -> None:
    engines.append(start_waiting(laptop))

    engines[0].kill()
    engines[0].wait()
    wait_for(lambda: not laptop.processes())

    assert laptop.run(a_run()).state == "Succeeded"
    lost = laptop.journal.attempts[0]
    assert (lost.cause, lost.counted) == (Cause.LOST, False)
    assert laptop.evaluated == dict.fromkeys(CHECKPOINTS, 1)


def test_two_engines_never_work_on_one_run(laptop: Laptop, engines: Engines) -> None:
    engines.append(start_waiting(laptop))

    with pytest.raises(
        InvalidInput, match=f"process {engines[0].pid} is already working on this run"
    ):
        laptop.run(a_run())


def is_evaluator(pid: int) -> bool:
    try:
        return b"evaluator" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def start_waiting(laptop: Laptop, *options: str) -> "subprocess.Popen[str]":
    """An engine whose trainer waits, and whose evaluator hangs, at the second checkpoint."""
    wait, hang = ("--wait-at", str(SECOND)), ("--hang-at", str(SECOND))
    engine = laptop.start(a_run(), *wait, *options, evaluator=hang)
    running = laptop.logs / f"eval-intrinsic-{SECOND:015d}.log"
    wait_for(lambda: FIRST in laptop.reported() and running.exists() and running.read_text())
    return engine
