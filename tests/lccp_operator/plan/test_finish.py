"""The end of a run, and when it is reconciled again."""

from typing import Any

import pytest
from operator_world import BUDGET_TOKENS, NEVER, World, a_small_run, begun, with_spec

from lccp.api.exits import ExitCode
from lccp_operator.plan.finish import POLL_SECONDS


def a_training_world(**spec: Any) -> World:
    return begun(World(a_small_run(**spec), NEVER))


def next_reconcile(world: World) -> float | None:
    return world.reconcile().requeue_after_seconds


def test_a_run_that_trains_is_reconciled_from_time_to_time() -> None:
    assert next_reconcile(a_training_world()) == POLL_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 3_600])
def test_a_finished_run_is_not_reconciled_again(seconds: int) -> None:
    world = a_training_world()
    world.settle()
    world.pass_time(seconds)

    assert next_reconcile(world) is None


def test_the_next_reconcile_is_when_the_wait_is_over_and_no_sooner_afterwards() -> None:
    policy = {"maxRestarts": 3, "backoffSeconds": 7}
    world = a_training_world(restartPolicy=policy)
    world.end_training(ExitCode.INTERNAL)
    assert next_reconcile(world) == 7

    world.pass_time(8)

    assert next_reconcile(world) == POLL_SECONDS


def test_a_drain_past_its_time_is_not_reconciled_without_pause() -> None:
    world = a_training_world(saturation={"drainTimeoutSeconds": 5})
    world.run = with_spec(world.run, suspend=True)
    assert next_reconcile(world) == 5

    world.now = world.now.replace(year=2027)

    assert next_reconcile(world) == POLL_SECONDS


def test_a_run_on_hold_is_reconciled_when_its_deadline_comes() -> None:
    world = a_training_world(activeDeadlineSeconds=3_600)
    world.run = with_spec(world.run, suspend=True)
    world.settle()

    seconds = next_reconcile(world)

    assert seconds is not None
    assert POLL_SECONDS < seconds <= 3_600


def test_a_finish_is_recorded_once_and_lifted_when_the_run_goes_on() -> None:
    world = a_training_world()
    world.settle()
    finished_at = world.journal.finished_at
    assert finished_at is not None
    world.pass_time(100)
    world.reconcile()
    assert world.journal.finished_at == finished_at

    training = world.run.document()["spec"]["training"] | {"tokens": 2 * BUDGET_TOKENS}
    world.run = with_spec(world.run, training=training)
    world.reconcile()

    assert world.journal.finished_at is None
