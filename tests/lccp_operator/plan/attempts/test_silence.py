"""An attempt that runs and reports nothing is named, with its log."""

from datetime import timedelta

import evaluated_world
import pytest
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    an_attached_run,
    conditions,
    heartbeat_of,
    with_spec,
)
from training_world import a_training_world, message, seen

from lccp.api.conditions import ConditionType
from lccp.api.objects.training import End
from lccp.contract.scalars import LATEST
from lccp.store.keys import writer_name
from lccp_operator.observed import Known
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training

RUNS = WorkloadState(
    Phase.RUNNING, (Pod(0, "00000001", Phase.RUNNING),), log="kubectl logs job/tiny"
)
WAITS = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.PENDING),))


def told(seconds: float, state: WorkloadState = RUNS, ended: bool = False) -> str:
    """What Degraded says `seconds` after the last heartbeat."""
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    if ended:
        end = End(result="Completed", tokens=EVERY_TOKENS, at=world.now)
        world.store.put(KEYS.end(beat.writer), end.to_json())
    return _after(world, seconds, state)


def _after(world: World, seconds: float, state: WorkloadState) -> str:
    world.now += timedelta(seconds=seconds)
    world.reconcile(seen(world, workloads=Known({Training(1): state})))
    return message(world, ConditionType.DEGRADED)


def test_evaluations_that_failed_before_do_not_hide_it() -> None:
    world = evaluated_world.a_world(3, retries=0)
    for _ in range(3):
        evaluated_world.fail_once(world)
    world.reconcile()
    failed = message(world, ConditionType.DEGRADED)
    assert failed.startswith("evaluation of checkpoint")
    assert conditions(world.run)["Degraded"] == ("True", "EvaluationFailed")

    world.pass_time(31)
    world.reconcile()

    told = message(world, ConditionType.DEGRADED)
    assert told.startswith("attempt 1 has reported nothing since")
    assert "evaluation of checkpoint" in told
    assert conditions(world.run)["Degraded"] == ("True", "ObservationIncomplete")


def test_an_attempt_that_runs_and_reports_nothing_is_named_with_its_log() -> None:
    text = told(31)

    assert text.startswith("attempt 1 has reported nothing since 2026-01-05 09:00:")
    assert "can't reach the store" in text
    assert "its node is gone" in text
    assert text.endswith("(kubectl logs job/tiny)")


def test_of_pods_that_a_queue_admitted_again_nothing_is_known_by_those_before() -> None:
    world = a_training_world()
    before = heartbeat_of(1, EVERY_TOKENS, world.now, phase="Saving")
    end = End(result="Terminated", tokens=EVERY_TOKENS, at=world.now)
    world.store.put(KEYS.heartbeat(before.writer), before.to_json())
    world.store.put(KEYS.end(before.writer), end.to_json())
    uid = "00000abc-7"
    again = WorkloadState(Phase.RUNNING, (Pod(0, uid, Phase.RUNNING),), log="kubectl logs job/tiny")

    assert "reported nothing" not in _after(world, 106, again)
    loads = "attempt 1 has started, and reported nothing yet: its processes load"
    assert message(world, ConditionType.TRAINING).startswith(loads)

    beat = heartbeat_of(1, EVERY_TOKENS, world.now)
    beat = beat.model_copy(update={"writer": writer_name(1, uid)})
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile(seen(world, workloads=Known({Training(1): again})))
    assert message(world, ConditionType.TRAINING) == "attempt 1 is training"
    assert _after(world, 31, again).startswith("attempt 1 has reported nothing since")


@pytest.mark.parametrize(
    ("seconds", "state", "ended"),
    [(29, RUNS, False), (90, WAITS, False), (90, RUNS, True)],
    ids=["it reports", "it does not run", "it has ended"],
)
def test_nothing_is_said_of_one_that(seconds: float, state: WorkloadState, ended: bool) -> None:
    assert told(seconds, state, ended) == ""


def test_it_is_looked_at_when_its_next_heartbeat_is_overdue() -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    decided = world.plan(seen(world, workloads=Known({Training(1): RUNS})))

    assert decided.due_after_seconds == 30


def test_a_heartbeat_of_the_end_of_time_ends_no_reconcile() -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, LATEST - timedelta(microseconds=1))
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    assert _after(world, 1, RUNS) == ""


def test_an_attempt_is_silent_since_its_heartbeat_not_since_that_was_read() -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now + timedelta(seconds=1))
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    assert _after(world, 20, RUNS) == ""
    assert f"has reported nothing since {beat.at:%Y-%m-%d %H:%M:%S} UTC" in _after(world, 12, RUNS)


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
def test_a_wrong_clock_of_its_node_neither_makes_it_silent_nor_hides_it(hours: int) -> None:
    world = a_training_world()
    for _ in range(5):
        world.now += timedelta(seconds=15)
        beat = heartbeat_of(1, EVERY_TOKENS, world.now + timedelta(hours=hours))
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        assert _after(world, 0, RUNS) == ""

    assert _after(world, 29, RUNS) == ""
    assert _after(world, 2, RUNS).startswith("attempt 1 has reported nothing since 2026-01-05 09:0")


@pytest.mark.parametrize("attached", [False, True], ids=["a trainer", "an importer"])
def test_what_hampered_a_trainer_is_not_told_once_it_was_killed(attached: bool) -> None:
    run = an_attached_run() if attached else a_small_run()
    world = World(run, NEVER)
    world.reconcile()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, problem="the store takes no uploads")
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()
    assert "the store takes no uploads" in message(world, ConditionType.DEGRADED)

    world.workers.clear()
    world.run = with_spec(world.run, suspend=True)
    world.reconcile()

    assert ("the store takes no uploads" in message(world, ConditionType.DEGRADED)) is attached


def test_a_request_that_the_store_does_not_keep_is_told() -> None:
    """Another program restores older objects, or the store loses what it confirmed."""
    world = a_training_world()
    world.run = with_spec(world.run, suspend=True)
    found = []
    for _ in range(2):
        world.reconcile()
        world.store.delete(KEYS.control(1))
        world.now += timedelta(seconds=11)
        found.append(message(world, ConditionType.DEGRADED))
    world.reconcile()
    found.append(message(world, ConditionType.DEGRADED))
    world.reconcile()
    found.append(message(world, ConditionType.DEGRADED))

    lost = "attempt 1 does not learn that it is to save its state and exit: the store does not keep"
    assert [lost in one for one in found] == [False, True, True, False]
