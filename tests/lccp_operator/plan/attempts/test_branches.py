"""Branches: trained once the run's own training has ended, one after another, and evaluated."""

from collections.abc import Sequence
from typing import Any

import pytest
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    conditions,
    heartbeat_of,
    saturating_at,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.labels import ANNEAL, INTRINSIC, evaluation_key
from lccp.api.objects.journal import Pinned, PodDefaults
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Verdict
from lccp.api.status import BranchesStatus
from lccp_operator.workloads.training import Training

FIRST, SECOND = 2 * EVERY_TOKENS, 4 * EVERY_TOKENS
ANNEALED = {"atTokens": [FIRST - 1, SECOND], "tokens": EVERY_TOKENS}


def a_world(**spec: Any) -> World:
    checkpoints = {"everyTokens": EVERY_TOKENS, "anneal": ANNEALED}
    return World(a_small_run(**{"checkpoints": checkpoints} | spec), NEVER)


def branches(world: World) -> list[int | None]:
    return [attempt.branch for attempt in world.journal.attempts]


def until_a_branch_runs(world: World) -> Training:
    for _ in range(100):
        decided = world.reconcile()
        if world.trainer is not None and world.trainer[0].branch is not None:
            return world.trainer[0]
        world.pass_time(decided.requeue_after_seconds or 1.0)
        world.train()
        world.evaluate()
    raise AssertionError("no branch began")


def test_branches_follow_the_training_one_by_one_and_are_evaluated_once() -> None:
    world = a_world()
    world.settle()
    assert branches(world) == [None, FIRST, SECOND]
    assert set(world.facts.branches) == {FIRST, SECOND}
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    outcomes = world.journal.evaluations
    annealed = {evaluation_key(tokens, ANNEAL) for tokens in (FIRST, SECOND)}
    assert {key for key in outcomes if not key.endswith(INTRINSIC)} == annealed
    assert all(outcome.tries == 1 for outcome in outcomes.values())
    ends = {tokens: made.digest for tokens, made in world.facts.branches.items()}
    told = {tokens: outcomes[evaluation_key(tokens, ANNEAL)] for tokens in ends}
    assert {tokens: one.checkpoint_digest for tokens, one in told.items()} == ends


def test_none_begins_before_the_training_has_ended() -> None:
    world = a_world()
    until_a_branch_runs(world)
    assert max(world.facts.checkpoints) == BUDGET_TOKENS
    assert world.journal.attempts[0].cause is Cause.COMPLETED


def test_what_the_status_tells_of_the_training_stays_the_runs_own() -> None:
    world = a_world()
    until_a_branch_runs(world)
    world.reconcile()
    assert world.run.status is not None
    assert world.run.status.progress.tokens == BUDGET_TOKENS
    (message,) = (c.message for c in world.run.status.conditions if c.type == "Training")
    assert f"attempt 2 (branch from {FIRST:,} tokens)" in message


def test_a_branch_whose_gang_fails_is_trained_again_and_in_the_end_left_out() -> None:
    policy = {"maxRestarts": 1, "backoffSeconds": 1}
    world = a_world(restartPolicy=policy)
    for _ in range(2):
        until_a_branch_runs(world)
        world.end_training(ExitCode.INTERNAL)
    world.settle()
    assert branches(world) == [None, FIRST, FIRST, SECOND]
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert conditions(world.run)["Degraded"][0] == "True"
    assert world.run.status is not None
    (told,) = (c.message for c in world.run.status.conditions if c.type == "Degraded")
    assert f"attempt 3 (branch from {FIRST:,} tokens) ended as Internal" in told


def test_a_branch_that_failed_for_good_is_trained_again_once_somebody_suspends_the_run() -> None:
    world = a_world()
    until_a_branch_runs(world)
    world.end_training(ExitCode.CONFIGURATION)
    world.settle()
    assert branches(world) == [None, FIRST, SECOND]

    for suspend in (True, False):
        world.run = with_spec(world.run, suspend=suspend)
        world.settle()

    assert branches(world) == [None, FIRST, SECOND, FIRST]
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


def test_a_branch_that_is_suspended_saves_ends_and_goes_on() -> None:
    world = a_world()
    until_a_branch_runs(world)
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    assert conditions(world.run)["Suspended"][0] == "True"
    assert world.journal.attempts[-1].cause is Cause.DRAINED
    world.run = with_spec(world.run, suspend=False)
    world.settle()
    assert branches(world) == [None, FIRST, FIRST, SECOND]
    assert conditions(world.run)["Succeeded"][0] == "True"


@pytest.mark.slow
def test_a_raised_budget_comes_before_branches() -> None:
    world = a_world()
    until_a_branch_runs(world)
    training = world.run.spec.document()["training"] | {"tokens": BUDGET_TOKENS + EVERY_TOKENS}
    world.run = with_spec(world.run, training=training)
    world.settle()
    assert branches(world) == [None, FIRST, None, FIRST, SECOND]
    assert max(world.facts.checkpoints) == BUDGET_TOKENS + EVERY_TOKENS


def test_a_run_that_was_stopped_has_the_branches_that_it_reached() -> None:
    late = {"atTokens": [EVERY_TOKENS, BUDGET_TOKENS - 1], "tokens": EVERY_TOKENS}
    world = a_world(checkpoints={"everyTokens": EVERY_TOKENS, "anneal": late})
    world.judge = saturating_at(FIRST)
    world.settle()
    assert BUDGET_TOKENS not in world.facts.checkpoints
    assert branches(world) == [None, EVERY_TOKENS]
    assert conditions(world.run)["Succeeded"] == ("True", "Saturated")


def test_a_stopped_run_whose_branch_trains_has_no_time_left_of_its_own() -> None:
    anneal = {"atTokens": [EVERY_TOKENS], "tokens": EVERY_TOKENS}
    world = a_world(checkpoints={"everyTokens": EVERY_TOKENS, "anneal": anneal})
    world.judge = saturating_at(FIRST)
    until_a_branch_runs(world)
    beat = heartbeat_of(1, FIRST, world.now, phase="Ending", tokens_per_second=100.0)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.run = world.run.model_copy(update={"status": None})
    world.reconcile()

    assert world.run.status is not None
    assert world.run.status.progress.tokens == FIRST < BUDGET_TOKENS
    assert world.run.status.progress.remaining_seconds is None


def test_what_hampers_a_branch_is_told() -> None:
    world = a_world()
    branch = until_a_branch_runs(world)
    said = "store s3://lccp does not answer: connection refused"
    beat = heartbeat_of(branch.attempt, FIRST, world.now, problem=said)
    world.store.put(KEYS.branch(FIRST).heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    assert world.run.status is not None
    (told,) = (c.message for c in world.run.status.conditions if c.type == "Degraded")
    assert said in told


def test_a_run_that_failed_has_none() -> None:
    world = a_world(restartPolicy={"maxRestarts": 0})
    for _ in range(3):
        world.reconcile()
        world.train()
        world.pass_time()
    world.end_training(ExitCode.INTERNAL)
    world.settle()
    assert branches(world) == [None]
    assert conditions(world.run)["Failed"][0] == "True"


def test_the_pods_of_a_branch_yield_as_evaluators_do() -> None:
    topology = {"priorityClassName": "high", "queueName": "team", "queuePriorityClassName": "high"}
    run = a_small_run(topology=topology)
    defaults = PodDefaults(evaluator_priority_class="low")
    pinned = Pinned(trainer_image="trainer", evaluator_image="evaluator", templates=defaults)
    own, branch = Training(1).pods(run, pinned), Training(2, FIRST).pods(run, pinned)
    assert (own.spec.priority_class_name, own.branch) == ("high", None)
    assert (branch.spec.priority_class_name, branch.priority_class_name) == (None, "low")
    assert (branch.spec.queue_name, branch.spec.queue_priority_class_name) == ("team", None)
    assert branch.branch == FIRST


@pytest.mark.parametrize("workload", [Training(1), Training(2, FIRST)])
def test_a_gang_is_found_by_its_labels(workload: Training) -> None:
    assert Training.of_labels(workload.labels()) == workload


def test_a_point_that_the_training_had_passed_is_told_and_holds_nothing_up() -> None:
    world = a_world()
    until_a_branch_runs(world)
    between = FIRST + EVERY_TOKENS // 2
    anneal = ANNEALED | {"atTokens": [FIRST - 1, between, SECOND]}
    world.run = with_spec(world.run, checkpoints={"everyTokens": EVERY_TOKENS, "anneal": anneal})
    world.settle()
    assert branches(world) == [None, FIRST, SECOND]
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert world.run.status is not None
    (told,) = (c.message for c in world.run.status.conditions if c.type == "Accepted")
    (point,) = set(world.run.spec.branch_points) - {FIRST, SECOND}
    assert f"no branch starts at {point:,} tokens" in told


def test_the_status_counts_branches_and_tells_what_the_latest_measured() -> None:
    world = a_world()
    until_a_branch_runs(world)
    world.reconcile()
    assert world.run.status is not None
    assert world.run.status.branches == BranchesStatus(asked=2)
    world.settle()
    told = world.run.status.branches
    assert told is not None
    assert (told.trained, told.evaluated, told.at_tokens) == (2, 2, SECOND)


def with_values(reports: Sequence[EvaluationReport], policy: Policy) -> Verdict:
    """A verdict whose checkpoints have a value of their own and one of a branch."""
    verdict, values = NEVER(reports, policy), {"anneal/niah_ppl": 1.25, "niah_ppl": 1.5}
    checkpoints = (c.model_copy(update={"values": values}) for c in verdict.checkpoints)
    return verdict.model_copy(update={"checkpoints": tuple(checkpoints)})


def test_what_a_branch_measured_stands_apart_from_what_the_checkpoint_did() -> None:
    world = a_world()
    world.judge = with_values
    world.settle()
    assert world.run.status is not None
    assert world.run.status.branches is not None
    assert world.run.status.branches.values == {"niah_ppl": "1.25"}
    assert world.run.status.latest is not None
    assert world.run.status.latest.values == {"niah_ppl": "1.5"}


def test_a_run_without_branches_says_nothing_of_them() -> None:
    world = World(a_small_run(), NEVER)
    world.settle()
    assert world.run.status is not None
    assert world.run.status.branches is None
