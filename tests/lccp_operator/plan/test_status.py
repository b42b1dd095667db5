"""The status: what people and programs read about a run."""

from dataclasses import replace
from datetime import timedelta

import pytest
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    START,
    applied_again,
    conditions,
    heartbeat_of,
    with_spec,
)
from training_world import a_training_world, a_world, seen, status

from lccp.api.conditions import Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.conditions import RunConditions
from lccp.api.status import LCCPRunStatus
from lccp_operator.intents import Plan, WriteConditions
from lccp_operator.observed import Known, Unknown
from lccp_operator.plan import plan
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training


def test_what_did_not_change_is_not_written() -> None:
    world = a_training_world()
    world.reconcile()
    writes = world.status_writes
    world.pass_time(5)
    world.reconcile()

    assert world.status_writes == writes


def test_the_store_is_told_of_the_conditions_whenever_they_change() -> None:
    def told() -> RunConditions:
        return RunConditions.from_json(world.store.get(KEYS.conditions), KEYS.conditions)

    def said() -> RunConditions:
        return RunConditions.parse({"conditions": status(world).document()["conditions"]}, "said")

    world = a_training_world()
    world.reconcile()
    assert told() == said()
    version = world.store.get_entry(KEYS.conditions).etag
    world.pass_time(5)
    world.reconcile()
    assert world.store.get_entry(KEYS.conditions).etag == version

    world.run = with_spec(world.run, suspend=True)
    world.reconcile()
    assert told() == said()
    assert world.store.get_entry(KEYS.conditions).etag != version


def tellings(decided: Plan) -> list[WriteConditions]:
    return [intent for intent in decided.intents if isinstance(intent, WriteConditions)]


def test_while_the_status_cannot_be_written_the_store_is_told_once() -> None:
    world = a_training_world()
    world.reconcile()
    world.run = with_spec(world.run, suspend=True)
    (first,) = tellings(world.plan())
    world.store.put(KEYS.conditions, first.conditions.to_json())

    world.pass_time(5)

    assert tellings(world.plan()) == []


@pytest.mark.parametrize("missing", ["a checkpoint", "the workloads"])
def test_the_store_is_told_of_what_holds_a_run_up(missing: str) -> None:
    world = a_training_world()
    world.reconcile()
    if missing == "a checkpoint":
        world.store.delete(KEYS.checkpoint_manifest(EVERY_TOKENS))
        observed = world.observed()
    else:
        observed = seen(world, workloads=Unknown(START, "the API server is silent"))

    decided = world.reconcile(observed)

    assert decided.intents == tuple(tellings(decided))
    said = RunConditions.from_json(world.store.get(KEYS.conditions), KEYS.conditions)
    assert said.digest == RunConditions(conditions=status(world).conditions).digest
    assert conditions(world.run)["Degraded"][0] == "True"


def test_a_store_that_holds_the_run_of_another_object_is_told_nothing() -> None:
    first = a_training_world()
    first.reconcile()
    before = first.store.get(KEYS.conditions)
    world = applied_again(first, model={"source": "other", "targetContextLength": 512})
    for _ in range(2):
        assert world.reconcile().intents == ()

    assert world.store.get(KEYS.conditions) == before


def test_a_store_that_lacks_the_conditions_is_told_of_them_again() -> None:
    world = a_training_world()
    world.reconcile()
    world.store.delete(KEYS.conditions)
    world.reconcile()

    assert world.store.get(KEYS.conditions)


def test_progress_alone_is_written_once_in_a_while() -> None:
    world = a_training_world()
    writes = world.status_writes

    for seconds in range(10, 200, 10):
        beat = heartbeat_of(1, EVERY_TOKENS + seconds, START + timedelta(seconds=seconds))
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        world.reconcile()

    assert world.status_writes - writes == 2


def test_progress_is_written_though_a_node_with_a_slow_clock_goes_on() -> None:
    world = a_training_world()

    slow = START - timedelta(hours=1)
    for at in (START, slow, slow + timedelta(seconds=2)):
        beat = heartbeat_of(1, EVERY_TOKENS + 10, at)
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        world.reconcile()

    assert status(world).progress.last_heartbeat_time == slow + timedelta(seconds=2)


def test_progress_does_not_fall_back_while_a_saved_state_is_loaded() -> None:
    world = a_training_world()
    assert world.trainer is not None
    world.trainer[1].tokens = EVERY_TOKENS + 4_096
    world.end_training(ExitCode.TERMINATED)
    for _ in range(4):
        world.pass_time(30)
        world.reconcile()
    beat = heartbeat_of(2, EVERY_TOKENS, world.now, phase="Starting")
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.pass_time(100)
    world.reconcile()

    assert status(world).attempt == 2
    assert status(world).progress.tokens == EVERY_TOKENS + 4_096


@pytest.mark.parametrize("watched", [False, True])
def test_an_outage_is_polled_for_unless_its_end_will_be_announced(watched: bool) -> None:
    world = a_training_world()
    gone = Unknown(START, "gone", Reason.STORE_UNREACHABLE, watched=watched)

    planned = plan(world.run, replace(world.observed(), store=gone), world.now)

    assert (planned.requeue_after_seconds is None) == watched


def test_progress_has_an_eta_while_training() -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, tokens_per_second=100.0, loss=3.14159, step=2)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.run = world.run.model_copy(update={"status": None})
    world.reconcile()

    progress = status(world).progress
    assert (progress.tokens, progress.percent, progress.step) == (EVERY_TOKENS, 20, 2)
    assert progress.remaining_seconds == (BUDGET_TOKENS - EVERY_TOKENS) // 100 + 1
    assert progress.loss == "3.142"
    world.settle()
    assert status(world).progress.remaining_seconds is None
    assert status(world).progress.percent == 100


def test_checkpoints_show_their_evaluation_and_values() -> None:
    world = a_world()
    for _ in range(2):
        world.reconcile()
        world.train()
    world.reconcile()
    world.evaluate()
    world.reconcile()
    world.reconcile()

    assert [(c.tokens, c.evaluation) for c in status(world).checkpoints] == [
        (EVERY_TOKENS, "Succeeded"),
        (2 * EVERY_TOKENS, "Running"),
    ]
    assert status(world).latest is not None


@pytest.mark.slow
def test_only_the_last_32_checkpoints_are_shown() -> None:
    tokens = 40 * EVERY_TOKENS
    training = {"tokens": tokens, "globalBatchTokens": 4_096, "learningRate": "1e-4"}
    world = a_world(training=training)
    world.settle(reconciles=400)

    shown = [c.tokens for c in status(world).checkpoints]
    assert shown == [n * EVERY_TOKENS for n in range(9, 41)]


@pytest.mark.slow
def test_an_emptied_status_is_rebuilt_and_reruns_nothing() -> None:
    world = a_world()
    world.settle()
    before, started = status(world), list(world.started)
    world.events.clear()
    world.run = world.run.model_copy(update={"status": None})

    world.settle()

    times = {"conditions": (), "observed_generation": 0}
    assert status(world).model_copy(update=times) == before.model_copy(update=times)
    assert conditions(world.run) == {
        c.type.value: (c.status, c.reason.value) for c in before.conditions
    }
    assert world.started == started
    assert world.events == []


def test_the_status_survives_the_way_through_json() -> None:
    world = a_world()
    world.settle()

    again = LCCPRunStatus.parse(status(world).document(), "status")

    world.run = world.run.model_copy(update={"status": again})
    writes = world.status_writes
    world.reconcile()
    assert world.status_writes == writes


def test_the_summary_is_one_word() -> None:
    world = a_training_world()
    assert status(world).summary == "Training"
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    assert status(world).summary == "Suspended"
    world.run = with_spec(world.run, suspend=False)
    world.settle()
    assert status(world).summary == "Succeeded"


def test_the_message_of_an_attempt_whose_job_is_gone_names_no_log() -> None:
    world = a_training_world()
    failed = WorkloadState(
        Phase.FAILED,
        (Pod(0, "a", Phase.FAILED, exit_code=70),),
        log="kubectl logs -n default job/tiny-train-a1",
    )
    world.reconcile(seen(world, workloads=Known({Training(1): failed})))
    assert status(world).attempts[0].message == f"failed (exit code 70; log: {failed.log})"

    world.workers.clear()
    world.pass_time()
    world.reconcile()

    assert status(world).attempts[0].message == "failed (exit code 70)"
    assert f"log: {failed.log}" in world.journal.attempts[0].message
