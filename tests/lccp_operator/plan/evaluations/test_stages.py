"""Stages of evaluations: pending, waiting, done, or failed for good."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from evaluated_world import FIRST, SECOND, a_world, begun, fail_once, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_world import (
    KEYS,
    World,
    conditions,
    manifest_of,
    with_spec,
)
from training_world import message

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType
from lccp.api.exits import ExitCode
from lccp.api.labels import INTRINSIC, evaluation_key
from lccp_operator.intents import EventReason
from lccp_operator.observed import Known
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import Phase, Pod, WorkloadState


def test_a_checkpoint_without_manifest_is_not_evaluated() -> None:
    world = a_world(checkpoints=0)
    world.store.put(f"{KEYS.checkpoint(FIRST, 'a1-00000001')}model.safetensors", b"half")

    assert begun(world.reconcile()) == []


def test_the_base_model_is_evaluated_as_checkpoint_0() -> None:
    world = a_world(checkpoints=0)
    world.store.put(KEYS.checkpoint_manifest(0), manifest_of(0).to_json())

    assert begun(world.reconcile()) == [Evaluation(0)]


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    first=st.integers(0, 3_600),
    longest=st.integers(0, 7_200),
    pause=st.floats(0.3, 900),
    retries=st.integers(1, 6),
)
def test_tries_wait_for_each_other_as_attempts_do(
    first: int, longest: int, pause: float, retries: int
) -> None:
    policy = {"backoffSeconds": first, "maxBackoffSeconds": longest}
    world = a_world(retries=retries, policy=policy)
    world.reconcile()
    for number in range(1, retries + 1):
        world.evaluate(ExitCode.INTERNAL)
        world.reconcile()
        failed_at, wait = world.now, min(longest, first * 2 ** (number - 1))
        world.pass_time(0)
        while not begun(decided := world.reconcile()):
            assert (world.now - failed_at).total_seconds() < wait
            assert decided.due_after_seconds is not None
            world.pass_time(min(pause, decided.due_after_seconds))

        assert Evaluation(FIRST, number=number + 1) in world.workers
        assert wait <= (world.now - failed_at).total_seconds() < wait + 1


def test_a_wait_is_shown_and_changes_nothing_and_holds_up_no_other_checkpoint() -> None:
    world = a_world()
    fail_once(world, wait_seconds=1)
    waiting = world.reconcile()
    assert conditions(world.run)["Evaluating"] == ("False", "BackingOff")
    assert waiting.due_after_seconds == pytest.approx(9)

    world.pass_time(1)
    again = world.plan()
    assert (again.intents, again.events, again.status) == ((), (), world.run.status)

    world.train()
    assert begun(world.reconcile()) == [Evaluation(SECOND)]


def test_a_failure_that_an_older_version_recorded_is_tried_again_at_once() -> None:
    world = a_world()
    fail_once(world, wait_seconds=0)
    journal = json.loads(world.store.get(KEYS.journal))
    del journal["evaluations"][evaluation_key(FIRST, INTRINSIC)]["at"]
    world.store.put(KEYS.journal, json.dumps(journal).encode())

    assert begun(world.reconcile()) == [Evaluation(FIRST, number=2)]


def test_more_retries_try_again() -> None:
    world = a_world(retries=0)
    fail_once(world)
    world.run = with_spec(world.run, evaluation={"retries": 1})
    world.reconcile()
    world.pass_time()

    assert begun(world.reconcile()) == [Evaluation(FIRST, number=2)]


@pytest.mark.slow
def test_disruptions_in_a_row_wait_longer_each_time() -> None:
    world = a_world(retries=0, policy={"backoffSeconds": 10, "maxBackoffSeconds": 30})
    began = []
    for _ in range(200):
        if begun(world.reconcile()):
            began.append(world.now)
            world.evaluate(ExitCode.INTERNAL, disrupted=True)
        world.pass_time()

    waits = [round((after - before).total_seconds()) for before, after in pairwise(began)]
    assert waits[0] < 10 <= waits[1] < 20 <= waits[2] < 30 <= waits[3]
    world.pass_time(30)
    world.reconcile()
    world.evaluate()
    world.reconcile()
    last = outcome(world)
    assert last is not None
    assert (last.result, last.interruptions) == ("Succeeded", 0)


REJECTED = Pod(0, "a", Phase.FAILED, failure="OutOfcpu: Node lacks cpu")


def rejects(world: World, workload: Evaluation) -> None:
    """A kubelet rejects the evaluator's pod."""
    states = world.observed().workloads
    assert isinstance(states, Known)
    ended = states.value | {workload: WorkloadState(Phase.FAILED, (REJECTED,))}
    world.reconcile(replace(world.observed(), workloads=Known(ended)))


def test_an_evaluator_that_its_kubelet_rejects_is_counted_backs_off_and_is_told() -> None:
    world = a_world(retries=1, policy={"backoffSeconds": 10, "maxBackoffSeconds": 30})
    world.reconcile()

    rejects(world, Evaluation(FIRST))

    last, told = outcome(world), "failed before its processes began: OutOfcpu: Node lacks cpu"
    assert last is not None
    assert (last.cause, last.tries, last.message) == (Cause.NOT_BEGUN, 1, told)
    assert world.events[-1].reason is EventReason.EVALUATION_FAILED
    assert conditions(world.run)["Evaluating"] == ("False", "BackingOff")
    assert conditions(world.run)["Degraded"] == ("True", "Restarting")
    assert message(world, ConditionType.DEGRADED) == f"evaluation of checkpoint {FIRST:,}: {told}"
    world.pass_time(9)
    assert begun(world.reconcile()) == []
    world.pass_time(1)
    assert begun(world.reconcile()) == [Evaluation(FIRST, number=2)]

    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


def test_an_evaluator_that_is_disrupted_again_and_again_is_told_until_it_runs() -> None:
    world, told = a_world(retries=0), []
    for _ in range(3):
        fail_once(world, ExitCode.INTERNAL, disrupted=True)
        told.append(conditions(world.run)["Degraded"])

    assert told == [("False", "Healthy"), *2 * [("True", "Restarting")]]
    world.reconcile()
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


def test_evaluations_go_on_while_training_is_suspended_or_has_failed() -> None:
    world = a_world()
    world.end_training(ExitCode.CONFIGURATION)

    assert begun(world.reconcile()) == [Evaluation(FIRST)]
    assert conditions(world.run)["Failed"] == ("True", "Configuration")
    assert world.journal.finished_at is None
