"""Real branches of a training: begun with its state, disturbed, and trained once."""

from collections.abc import Callable
from typing import Any

import pytest
from stored import complete_checkpoints, complete_states
from trainer_world import BATCH_ROWS, ROW, Attempt, World

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.store.keys import RunKeys

pytestmark = pytest.mark.long

STEP = BATCH_ROWS * ROW
KEYS = RunKeys("default", "run")
POINT = 6 * STEP
BRANCH = KEYS.branch(POINT)
BRANCH_STEPS = 10
SPEC: dict[str, Any] = {
    "training": {"tokens": 12 * STEP},
    "topology": {"nodes": 1},
    "checkpoints": {
        "everyTokens": 4 * STEP,
        "keepStates": 1,
        "anneal": {
            "atTokens": [POINT - 1],
            "tokens": BRANCH_STEPS * STEP,
            "finalFraction": "0.1",
        },
    },
}


@pytest.fixture(scope="module")
def branched(new_world: Callable[[], World]) -> tuple[World, Attempt, Attempt]:
    """A run that was trained, and a branch of it."""
    world = new_world()
    trunk = world.start(world.document(**SPEC))
    assert trunk.wait() == ExitCode.OK, trunk.log
    branch = world.branch(world.document(**SPEC), POINT)
    assert branch.wait() == ExitCode.OK, branch.log
    return world, trunk, branch


def test_the_run_makes_a_checkpoint_and_keeps_its_state_where_a_branch_begins(
    branched: tuple[World, Attempt, Attempt],
) -> None:
    world, _, _ = branched
    tokens = [manifest.tokens for manifest in complete_checkpoints(world.store, KEYS)]
    assert tokens == [0, 4 * STEP, POINT, 8 * STEP, 12 * STEP]
    assert [state.tokens for state in complete_states(world.store, KEYS)] == [POINT, 12 * STEP]


def test_a_branch_goes_on_exactly_where_the_run_was_and_its_rate_falls(
    branched: tuple[World, Attempt, Attempt],
) -> None:
    _, trunk, branch = branched
    assert branch.end.result is Cause.COMPLETED
    first, after = branch.history[0], trunk.history[6]
    assert (first.step, first.loss) == (after.step, after.loss) == (7, first.loss)
    rates = [line.learning_rate for line in branch.history]
    assert rates == pytest.approx([1e-3 * (1 - 0.09 * n) for n in range(1, BRANCH_STEPS + 1)])


def test_a_branch_leaves_one_checkpoint_and_no_state(
    branched: tuple[World, Attempt, Attempt],
) -> None:
    world, _, branch = branched
    (made,) = complete_checkpoints(world.store, BRANCH)
    assert (made.tokens, made.step) == (POINT + BRANCH_STEPS * STEP, 6 + BRANCH_STEPS)
    assert made.writer == branch.writer
    assert not world.store.list(BRANCH.states)


def test_a_branch_that_was_made_is_not_made_again(
    branched: tuple[World, Attempt, Attempt],
) -> None:
    world, _, _ = branched
    again = world.branch(world.document(**SPEC), POINT, attempt=2)
    assert again.wait() == ExitCode.OK, again.log
    assert (again.end.result, again.end.step) == (Cause.COMPLETED, 6 + BRANCH_STEPS)
    assert "already exists" in again.end.message
    assert not world.store.stat(BRANCH.history(again.writer))


def test_a_branch_that_was_interrupted_goes_on_with_its_own_state(
    branched: tuple[World, Attempt, Attempt],
) -> None:
    world, _, branch = branched
    for info in world.store.list(BRANCH.checkpoints):
        world.store.delete(info.key)
    first = world.branch(world.document(**SPEC), POINT, attempt=3, request="Drain")
    assert first.wait() == ExitCode.OK, first.log
    assert (first.end.result, first.end.step) == (Cause.DRAINED, 7)
    second = world.branch(world.document(**SPEC), POINT, attempt=4)
    assert second.wait() == ExitCode.OK, second.log
    losses = [line.loss for line in (*first.history, *second.history)]
    assert losses == [line.loss for line in branch.history]
    assert second.history[0].step == 8
