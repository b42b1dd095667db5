"""The newest complete state is told on the gang's workload, where the installation wants it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from attempted_world import a_training_world, observed
from operator_world import KEYS, Plan, World, heartbeat_of

from lccp.store.keys import writer_name
from lccp_operator.intents import TellState
from lccp_operator.workloads.state import Phase, Pod, SavedState, WorkloadState
from lccp_operator.workloads.training import Training

GANG = Training(1)


@pytest.fixture
def world() -> World:
    return a_training_world()


def beat(world: World, *states: int, **more: Any) -> None:
    written = heartbeat_of(1, 4_096, world.now, states=states, **more)
    world.store.put(KEYS.heartbeat(writer_name(1, "00000001")), written.to_json())


def told(world: World, known: SavedState | None = None, **gang: Any) -> list[TellState]:
    running = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING),), saved=known, **gang)
    decided: Plan = world.plan(replace(observed(world, {GANG: running}), tells_states=True))
    return [intent for intent in decided.intents if isinstance(intent, TellState)]


def test_the_newest_state_is_told_once(world: World) -> None:
    beat(world, 1_024, 2_048)

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
    beat(world, 2_048)
    assert told(world, SavedState(2_048, world.now - timedelta(hours=1))) == []


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
