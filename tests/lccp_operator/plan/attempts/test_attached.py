"""A run attached to another trainer, whose checkpoints an importer copies."""

import json

import pytest
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    an_attached_run,
    conditions,
    heartbeat_of,
    saturating_at,
    with_spec,
)

from lccp.api.conditions import ConditionType
from lccp.api.objects.journal import Pinned, StopMarker
from lccp.api.objects.training import Heartbeat
from lccp.contract.errors import InvalidInput
from lccp.store.objects import read
from lccp_operator.workloads.training import Training

PINNED = Pinned(trainer_image="trainer:1", evaluator_image="evaluator:1")


def a_stopped_world() -> World:
    world = World(an_attached_run(saturation={"action": "Stop"}), saturating_at(EVERY_TOKENS))
    world.reconcile()
    world.train()
    world.reconcile()
    world.evaluate()
    world.reconcile()
    world.reconcile()
    return world


def message(world: World, kind: ConditionType) -> str:
    assert world.run.status is not None
    return next(c.message for c in world.run.status.conditions if c.type is kind)


@pytest.mark.slow
def test_every_checkpoint_is_evaluated_and_the_run_ends_with_the_budget() -> None:
    world = World(an_attached_run(), NEVER)
    world.settle()

    assert len(world.facts.reports) == 5
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_its_pod_is_one_importer_of_the_evaluators_image() -> None:
    pods = Training(2).pods(an_attached_run(topology={"nodes": 4}), PINNED)

    assert (pods.container, pods.image, pods.count) == ("importer", "evaluator:1", 1)
    assert not pods.is_gang


def test_a_stop_is_told_to_the_trainer_by_an_object_that_it_can_poll() -> None:
    world = a_stopped_world()

    assert read(world.store, KEYS.stop, StopMarker).at_tokens == EVERY_TOKENS
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Saturated")


def test_a_stop_that_no_longer_stands_is_no_longer_told() -> None:
    world = a_stopped_world()
    world.run = with_spec(world.run, saturation={"action": "None"})
    world.reconcile()

    assert KEYS.stop not in world.store.objects


def test_without_a_stop_there_is_no_such_object() -> None:
    world = World(an_attached_run(), NEVER)
    world.settle()

    assert KEYS.stop not in world.store.objects


def test_what_the_importer_left_out_is_shown() -> None:
    world = World(an_attached_run(), NEVER)
    world.reconcile()
    world.train()
    key = next(k for k in world.store.objects if k.endswith("heartbeat.json"))
    beat = json.loads(world.store.get(key)) | {"problem": "step-2: it was rewritten"}
    world.store.put(key, Heartbeat.from_json(json.dumps(beat).encode(), key).to_json())
    world.reconcile()

    assert "step-2: it was rewritten" in message(world, ConditionType.DEGRADED)
    assert "/checkpoints" in message(world, ConditionType.TRAINING)


def test_which_checkpoint_is_imported_is_shown() -> None:
    world = World(an_attached_run(), NEVER)
    world.reconcile()
    beat = heartbeat_of(1, 0, world.now, phase="Importing", imports="step-10")
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    told = message(world, ConditionType.TRAINING)
    assert told == "attempt 1 converts or copies step-10"


def test_nobody_could_carry_out_a_suspension() -> None:
    with pytest.raises(InvalidInput, match="action Suspend needs a trainer"):
        an_attached_run(saturation={"action": "Suspend"})


def test_what_needs_a_training_of_our_own_says_so() -> None:
    with pytest.raises(InvalidInput, match="attached to another trainer"):
        _ = an_attached_run().spec.trained
