"""Events: changes, reported once and in order."""

from typing import Any

import pytest
from operator_world import (
    EVERY_TOKENS,
    NEVER,
    World,
    a_small_run,
    identity,
    saturating_at,
    with_spec,
)

from lccp.analysis.verdict import judge
from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.exits import ExitCode
from lccp_operator.intents import EventReason
from lccp_operator.plan import acceptance
from lccp_operator.plan.acceptance import Refusal

POLICY = {"minGain": "0.03", "action": "Suspend"}


def told(world: World) -> list[tuple[str, str]]:
    """Type and reason of the events since the last call."""
    events, world.events = world.events, []
    return [(event.type, event.reason.value) for event in events]


def a_world(judge: Any = NEVER, **spec: Any) -> World:
    world = World(a_small_run(**spec), judge)
    world.reconcile()
    world.train()
    return world


def test_the_start_of_a_run_is_told() -> None:
    assert told(a_world()) == [("Normal", "Accepted"), ("Normal", "AttemptStarted")]


def test_what_a_process_could_not_tell_the_next_one_tells_as_the_same_events() -> None:
    world = a_world()
    world.reconcile()
    world.evaluate()
    world.end_training(ExitCode.INTERNAL)
    world.reconcile()
    world.pass_time(300)
    world.reconcile()
    posted = {identity(event) for event in world.events}
    reasons = {"Accepted", "AttemptStarted", "AttemptFailed", "CheckpointEvaluated"}
    assert {reason for reason, _, _ in posted} == reasons | {"VerdictChanged"}

    world.restart_operator()
    assert {identity(event) for event in world.plan().events} == posted
    world.reconcile()
    assert {identity(event) for event in world.events} == posted
    assert world.plan().events == ()


def test_that_a_stop_no_longer_holds_is_told_by_the_next_process_as_the_same_event() -> None:
    world = a_world(saturating_at(EVERY_TOKENS), saturation=POLICY)
    world.reconcile()
    world.evaluate()
    world.settle()
    world.run = with_spec(world.run, saturation=POLICY | {"action": "Notify"})
    world.reconcile()
    (posted,) = (event for event in world.events if event.reason is EventReason.GOING_ON)

    world.pass_time(300)
    world.restart_operator()
    assert identity(posted) in {identity(event) for event in world.plan().events}

    world.pass_time(300)
    assert identity(posted) not in {identity(event) for event in world.plan().events}


def test_a_refusal_is_told_by_the_next_process_as_the_same_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        acceptance, "refusal", lambda _: Refusal(Reason.INVALID_SPEC, "it is wrong")
    )
    world = World(a_small_run(), NEVER)
    world.reconcile()
    posted = [identity(event) for event in world.events]

    world.pass_time(300)
    world.restart_operator()
    assert [identity(event) for event in world.plan().events] == posted
    world.reconcile()
    assert world.plan().events == ()

    world.pass_time(300)
    world.restart_operator()
    assert world.plan().events == ()


def test_what_happened_long_ago_is_not_told_again() -> None:
    world = a_world()
    world.end_training(ExitCode.INTERNAL)
    world.reconcile()
    world.pass_time(500)
    world.reconcile()
    world.pass_time(101)
    world.restart_operator()

    told_again = [(event.reason.value, event.about) for event in world.plan().events]
    assert told_again == [("AttemptStarted", "attempt 2")]


def test_nothing_is_told_twice() -> None:
    world = a_world()
    told(world)
    world.reconcile()
    world.reconcile()

    assert told(world) == []


def test_a_failure_is_a_warning_and_a_disruption_is_not() -> None:
    world = a_world()
    told(world)
    world.end_training(ExitCode.TERMINATED)
    world.reconcile()
    assert told(world) == [("Normal", "AttemptStarted"), ("Normal", "AttemptEnded")][::-1]

    world.train()
    world.end_training(ExitCode.INTERNAL)
    world.reconcile()
    assert told(world) == [("Warning", "AttemptFailed")]


@pytest.mark.slow
def test_an_evaluation_is_told_with_its_values_before_the_verdict() -> None:
    world = a_world(judge)
    world.reconcile()
    told(world)
    world.evaluate()
    world.reconcile()

    assert world.events[0].message.startswith(f"checkpoint {EVERY_TOKENS:,}: NIAH-PPL 1.")
    assert told(world) == [("Normal", "CheckpointEvaluated"), ("Normal", "VerdictChanged")]


def test_a_failed_evaluation_is_a_warning_that_names_checkpoint_and_try() -> None:
    world = a_world()
    world.reconcile()
    told(world)
    world.evaluate(ExitCode.INTERNAL)
    world.reconcile()

    assert world.events[0].message == f"checkpoint {EVERY_TOKENS:,}, try 1: failed (exit code 70)"
    assert told(world) == [("Warning", "EvaluationFailed")]


def test_a_stop_is_told_before_the_drain_and_that_it_no_longer_holds() -> None:
    world = World(a_small_run(saturation=POLICY), saturating_at(EVERY_TOKENS))
    world.reconcile()
    world.train()
    world.reconcile()
    world.evaluate()
    told(world)
    world.reconcile()
    assert told(world)[-2:] == [("Normal", "Stopping"), ("Normal", "Draining")]

    world.settle()
    told(world)
    world.run = with_spec(world.run, saturation=POLICY | {"action": "Notify"})
    world.reconcile()
    assert told(world)[0] == ("Normal", "GoingOn")


@pytest.mark.slow
def test_the_end_is_told_last() -> None:
    well, badly = a_world(), a_world()
    well.settle()
    badly.end_training(ExitCode.CONFIGURATION, Cause.CONFIGURATION)
    badly.settle()

    assert told(well)[-1] == ("Normal", "Succeeded")
    assert told(badly)[-1] == ("Warning", "Failed")


def test_a_refusal_longer_than_a_condition_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Refusal(Reason.INVALID_SPEC, "it is wrong " * 200)
    monkeypatch.setattr(acceptance, "refusal", lambda _: long)
    world = World(a_small_run(), NEVER)
    for _ in range(3):
        world.reconcile()
        world.pass_time()

    assert told(world) == [("Warning", "Refused")]
