"""While something of a run is not known, no condition claims what its workloads show to be over."""

from dataclasses import replace

import pytest
from operator_world import KEYS, NEVER, START, World, a_small_run, begun, conditions, heartbeat_of
from training_world import message

from lccp.api.conditions import ConditionType, Reason
from lccp_operator.observed import Unknown
from lccp_operator.workloads.state import Phase
from lccp_operator.workloads.training import Training


def training(world: World, store: Unknown) -> tuple[str, str]:
    """What the condition says while the store is not known."""
    world.reconcile(replace(world.observed(), store=store))
    return conditions(world.run)["Training"]


@pytest.mark.parametrize("reason", [Reason.STORE_UNREACHABLE, Reason.UNKNOWN_STORE])
def test_a_gang_that_ends_during_an_outage_is_not_said_to_train(reason: Reason) -> None:
    world, away = begun(World(a_small_run(), NEVER)), Unknown(START, "no answer", reason)
    beat = heartbeat_of(1, 4_096, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    assert training(world, away) == ("True", "Running")
    world.end_training(137)
    assert training(world, away) == ("False", reason.value)


def test_what_is_not_seen_is_not_said_to_have_ended() -> None:
    world = begun(World(a_small_run(), NEVER))
    beat = heartbeat_of(1, 4_096, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()
    unseen = Unknown(START, "the cache is not filled")

    world.reconcile(replace(world.observed(), workloads=unseen, store=unseen))

    assert conditions(world.run)["Training"] == ("True", "Running")


def test_a_gang_that_works_while_its_run_is_held_is_said_to() -> None:
    world, away = World(a_small_run(), NEVER), Unknown(START, "no answer")
    world.reconcile()
    world.workers[Training(1)].phase = Phase.PENDING
    world.reconcile()
    assert conditions(world.run)["Training"] == ("False", "Starting")

    assert training(world, away) == ("False", "Starting")
    world.workers[Training(1)].phase = Phase.RUNNING
    assert training(world, away) == ("True", "Running")
    assert message(world, ConditionType.TRAINING).startswith("an attempt works: what follows is")


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.PENDING])
def test_a_gang_that_is_deleted_while_its_run_is_held_is_not_said_to_wait(phase: Phase) -> None:
    world, away = World(a_small_run(), NEVER), Unknown(START, "no answer", Reason.STORE_UNREACHABLE)
    world.reconcile()
    world.workers[Training(1)].phase = phase
    world.reconcile()
    before = conditions(world.run)["Training"]

    assert training(world, away) == before
    world.workers.clear()
    assert training(world, away) == ("False", "StoreUnreachable")
