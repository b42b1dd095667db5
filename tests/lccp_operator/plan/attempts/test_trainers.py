"""The training workloads are those that the journal requests, with its settings."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from attempted_world import (
    a_training_world,
    a_world,
    gangs,
    observed,
    settings,
    topology,
)
from operator_world import (
    KEYS,
    Plan,
    World,
    conditions,
    heartbeat_of,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType
from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Control
from lccp.store import objects
from lccp.store.keys import writer_name
from lccp_operator.intents import (
    ApplyWorkload,
    DeleteWorkload,
    TellState,
    WriteControl,
)
from lccp_operator.plan.attempts.waits import HEARD_SECONDS
from lccp_operator.workloads.state import Phase, Pod, SavedState, WorkloadState
from lccp_operator.workloads.training import Training


def test_an_attempt_whose_workload_was_never_created_is_created_again() -> None:
    world = a_world()
    world.steps_before_crash = 2  # identity and journal are written, the workload is not
    world.reconcile()
    assert world.workers == {}

    assert gangs(world.reconcile()) == [Training(1)]


def test_a_drain_that_takes_too_long_ends_with_the_workload_deleted() -> None:
    world = a_training_world(saturation={"drainTimeoutSeconds": 60})
    world.run = with_spec(world.run, suspend=True)
    world.reconcile()
    world.pass_time(61)

    decided = world.reconcile()
    assert DeleteWorkload(Training(1)) in decided.intents
    world.pass_time()
    world.reconcile()

    assert world.journal.attempts[0].cause is Cause.LOST
    assert conditions(world.run)["Suspended"][0] == "True"


def test_a_gang_of_an_ended_attempt_that_comes_back_is_deleted() -> None:
    world = a_training_world()
    world.end_training(ExitCode.TERMINATED)
    world.reconcile()
    stale = WorkloadState(Phase.RUNNING, (Pod(0, "z", Phase.RUNNING),))
    current = WorkloadState(Phase.RUNNING, (Pod(0, "y", Phase.RUNNING),))

    decided = world.plan(observed(world, {Training(1): stale, Training(2): current}))

    assert DeleteWorkload(Training(1)) in decided.intents
    assert DeleteWorkload(Training(2)) not in decided.intents


def test_a_trainer_that_nobody_sees_is_told_to_end_before_the_next_attempt_begins() -> None:
    world = a_training_world()
    del world.workers[Training(1)]
    world.pass_time(HEARD_SECONDS)

    decided = world.reconcile()

    told = [intent for intent in decided.intents if isinstance(intent, WriteControl)]
    assert [(one.attempt, one.control.request) for one in told] == [(1, "Drain"), (2, None)]
    assert told[0].control.settings == told[1].control.settings
    assert world.journal.attempts[0].cause is Cause.LOST
    assert gangs(decided) == [Training(2)]
    stored = objects.read(world.store, KEYS.control(1), Control)
    assert stored == told[0].control


def test_a_trainer_that_told_its_end_is_told_nothing_more() -> None:
    world = a_training_world()
    world.end_training(ExitCode.TERMINATED)

    decided = world.reconcile()

    told = [intent for intent in decided.intents if isinstance(intent, WriteControl)]
    assert [one.attempt for one in told] == [2]


def test_the_workloads_of_the_last_two_ended_attempts_stay_for_their_logs() -> None:
    world = a_training_world()
    for _ in range(4):
        world.end_training(ExitCode.TERMINATED)
        world.reconcile()
        world.pass_time()
        world.train()

    attempts = [workload.attempt for workload in world.workers if isinstance(workload, Training)]
    assert attempts == [4, 5]


def test_an_attempt_is_told_its_settings_before_its_gang_begins() -> None:
    world = a_world(**topology(2))
    decided = world.plan()

    kinds = [type(intent) for intent in decided.intents]
    assert kinds.index(WriteControl) < kinds.index(ApplyWorkload)
    world.reconcile()
    assert settings(world, 1) == 2


def test_an_attempt_is_told_from_which_state_it_resumes_before_its_gang_begins() -> None:
    world = a_training_world()
    assert world.facts.controls[1].newest_state is None
    world.store.put(KEYS.state_manifest(4_096), b"{}")
    world.end_training(ExitCode.TERMINATED)
    world.reconcile()

    assert world.facts.controls[2].newest_state == 4_096


def test_changed_settings_take_effect_at_the_next_attempt_and_say_so() -> None:
    world = a_training_world()
    world.run = with_spec(world.run, **topology(2))
    world.reconcile()

    assert settings(world, 1) == 1
    assert len(world.journal.attempts) == 1
    assert world.run.status is not None
    (accepted,) = [c for c in world.run.status.conditions if c.type is ConditionType.ACCEPTED]
    assert "taking effect at the next attempt: topology.nodes" in accepted.message
    world.end_training(ExitCode.TERMINATED)
    world.settle()
    assert settings(world, 2) == 2


def test_a_gang_that_has_not_begun_is_replaced_by_one_with_the_changed_settings() -> None:
    world = a_world(**topology(4))
    world.reconcile()
    pending = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.PENDING),))
    world.run = with_spec(world.run, **topology(2))

    decided = world.reconcile(observed(world, {Training(1): pending}))

    assert DeleteWorkload(Training(1)) in decided.intents
    assert (world.journal.attempts[0].cause, world.journal.attempts[0].counted) == (
        Cause.DRAINED,
        False,
    )
    world.workers.clear()
    world.reconcile()
    assert [a.number for a in world.journal.attempts] == [1, 2]
    assert settings(world, 2) == 2


def test_a_gang_that_could_not_be_created_gets_the_changed_settings() -> None:
    world = a_world(**topology(4))
    world.reconcile()
    world.workers.clear()
    world.run = with_spec(world.run, **topology(2))

    decided = world.reconcile()

    assert gangs(decided) == [Training(1)]
    assert settings(world, 1) == 2


def test_a_drain_leaves_the_settings_of_the_attempt() -> None:
    world = a_training_world()
    world.run = with_spec(world.run, suspend=True, **topology(2))
    world.reconcile()

    control = json.loads(world.store.get(KEYS.control(1)))
    assert control["request"] == "Drain"
    assert settings(world, 1) == 1


def test_a_gang_that_an_older_version_started_can_be_drained() -> None:
    world = a_training_world()
    world.store.delete(KEYS.control(1))
    world.reconcile()
    assert KEYS.control(1) not in world.store.objects

    world.run = with_spec(world.run, suspend=True)
    world.reconcile()

    assert json.loads(world.store.get(KEYS.control(1))) == {"schemaVersion": 1, "request": "Drain"}


GANG = Training(1)


@pytest.fixture
def world() -> World:
    return a_training_world()


def beat(world: World, *states: int, tokens: int = 4_096, **more: Any) -> None:
    written = heartbeat_of(1, tokens, world.now, states=states, **more)
    world.store.put(KEYS.heartbeat(writer_name(1, "00000001")), written.to_json())


def told(
    world: World, known: SavedState | None = None, boost: int = 0, **gang: Any
) -> list[TellState]:
    running = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING),), saved=known, **gang)
    decided: Plan = world.plan(replace(observed(world, {GANG: running}), state_boost=boost))
    return [intent for intent in decided.intents if isinstance(intent, TellState)]


def test_the_newest_state_is_told_once(world: World) -> None:
    beat(world, 1_024, 2_048, tokens=2_560)

    at = world.now - timedelta(seconds=60)
    assert told(world) == [TellState(GANG, 2_048)]
    assert told(world, SavedState(2_048, at)) == []
    assert told(world, SavedState(1_024, at)) == told(world)


def test_a_checkpoint_is_a_state_as_well(world: World) -> None:
    beat(world, 1_024, checkpoints=(4_096,))
    assert told(world) == [TellState(GANG, 4_096)]


def test_states_that_follow_each_other_within_a_minute_are_told_once(world: World) -> None:
    beat(world, 2_048)
    assert told(world, SavedState(1_024, world.now - timedelta(seconds=59))) == []


def test_time_that_passes_without_a_new_state_is_no_news(world: World) -> None:
    """Such as of a gang that waits for its store: its seconds of work stand still."""
    beat(world, 2_048, tokens=3_072)
    assert told(world, SavedState(2_048, world.now - timedelta(hours=1))) == []


@pytest.mark.parametrize(
    ("states", "half"), [((1_024, 3_072), 4_096), ((2_048,), 3_072)], ids=["two", "the first"]
)
def test_a_state_is_old_once_more_than_half_of_the_usual_work_follows_it(
    world: World, states: tuple[int, ...], half: int
) -> None:
    known = SavedState(states[-1], world.now - timedelta(minutes=1))
    beat(world, *states, tokens=half)
    assert told(world, known, 50) == []
    beat(world, *states, tokens=half + 1)
    assert told(world, known, 50) == [TellState(GANG, states[-1], old=True, boost=50)]
    assert told(world, known) == [TellState(GANG, states[-1], old=True)]
    assert told(world, replace(known, old=True), 50) == []


def test_a_gang_that_has_just_saved_gets_no_more_priority(world: World) -> None:
    beat(world, 1_024, 2_048, tokens=2_049)
    known = SavedState(1_024, world.now - timedelta(minutes=1), old=True)
    assert told(world, known, 50) == [TellState(GANG, 2_048, boost=0)]


def test_nothing_is_told_without_a_state_of_a_gang_that_goes_or_where_nobody_wants_it(
    world: World,
) -> None:
    beat(world)
    assert told(world) == []
    beat(world, 2_048)
    assert told(world, deleting=True) == []
    running = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING),))
    intents = world.plan(observed(world, {GANG: running})).intents
    assert not any(isinstance(intent, TellState) for intent in intents)
