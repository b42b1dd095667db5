"""Checkpoints are evaluated again on request."""

import pytest
from evaluated_world import FIRST, SECOND, a_world, begun, fail_once
from operator_world import (
    KEYS,
    NEVER,
    World,
    a_small_run,
    conditions,
    saturating_at,
)
from training_world import message

from lccp.api.conditions import ConditionType
from lccp_operator.apply import ANSWERS_KEPT
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.training import Training

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("crash_after", [None, *range(8)])
@pytest.mark.parametrize("asked", ["all", f"{FIRST}, {SECOND}"])
def test_what_is_asked_anew_is_evaluated_once_more(asked: str, crash_after: int | None) -> None:
    world = World(a_small_run(evaluation={"retries": 0}), NEVER)
    world.settle()
    before, measured = len(world.started), sorted(world.facts.checkpoints)
    world.reevaluate, world.steps_before_crash = asked, crash_after

    world.settle()

    wanted = measured if asked == "all" else [FIRST, SECOND]
    assert world.started[before:] == [Evaluation(tokens) for tokens in wanted]
    assert sorted(tokens for tokens, _ in world.facts.reports) == measured
    assert world.journal.reevaluations == (asked,)
    assert crash_after is not None or world.reevaluate is None
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_report_that_is_gone_with_its_checkpoint_is_missed_until_that_is_accepted() -> None:
    world = World(a_small_run(), NEVER)
    world.settle()
    before = len(world.started)
    kept = world.store.get(KEYS.report(FIRST))
    world.store.delete(KEYS.checkpoint_manifest(FIRST))
    world.settle()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")

    world.store.delete(KEYS.report(FIRST))
    world.settle()
    told = message(world, ConditionType.DEGRADED)
    assert conditions(world.run)["Degraded"] == ("True", "ObservationIncomplete")
    assert told.startswith(f"evaluation of checkpoint {FIRST:,}: its report was deleted")
    assert told.endswith(f"annotate the run with lccp.io/reevaluate={FIRST}/intrinsic")
    world.store.put(KEYS.report(FIRST), kept)
    world.settle()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")

    world.store.delete(KEYS.report(FIRST))
    world.reevaluate = f"{FIRST}/intrinsic"
    world.settle()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert (len(world.started), world.reevaluate) == (before, None)
    assert not [event for event in world.events if event.reason == "Refused"]


def test_the_same_words_ask_once_though_they_are_put_back() -> None:
    world = World(a_small_run(), NEVER)
    world.settle()
    measured = len(world.facts.checkpoints)
    world.reevaluate = "all"
    world.settle()
    before = len(world.started)

    world.reevaluate = "all"
    world.settle()

    assert (len(world.started), world.reevaluate) == (before, "all")
    assert world.run.status is not None
    accepted = next(c for c in world.run.status.conditions if c.type is ConditionType.ACCEPTED)
    assert "lccp.io/reevaluate=all was carried out: to request it again" in accepted.message

    world.reevaluate = "all again"
    world.settle()
    assert (len(world.started), world.reevaluate) == (before + measured, None)

    world.reevaluate = "all"
    world.settle()
    assert (len(world.started), world.reevaluate) == (before + measured, "all")


def test_the_words_that_were_answered_last_are_kept() -> None:
    world = World(a_small_run(), NEVER)
    world.settle()
    asked = [f"none {number}" for number in range(ANSWERS_KEPT + 2)]
    for world.reevaluate in asked:
        world.settle()

    assert world.journal.reevaluations == tuple(asked[2:])


def test_a_stop_stands_while_its_checkpoints_are_evaluated_anew() -> None:
    run = a_small_run(saturation={"action": "Stop"}, evaluation={"baseline": False})
    world = World(run, saturating_at(SECOND))
    world.settle()
    before = [workload for workload in world.started if isinstance(workload, Training)]
    world.reevaluate = "all"

    world.settle()

    assert [w for w in world.started if isinstance(w, Training)] == before
    assert conditions(world.run)["Succeeded"] == ("True", "Saturated")


def test_a_failure_for_good_is_tried_anew_when_it_is_asked_for() -> None:
    world = a_world(retries=0)
    fail_once(world)
    world.reevaluate = "all"
    world.reconcile()
    world.pass_time()

    assert begun(world.reconcile()) == [Evaluation(FIRST)]


@pytest.mark.parametrize("asked", [f"{FIRST}/mine", f"all/mine, {FIRST}/mine again"])
def test_a_suite_alone_is_evaluated_anew(asked: str) -> None:
    world = a_world(concurrency=4, suites=[{"name": "mine", "command": ["./mine"]}])
    world.settle()
    before, world.reevaluate = len(world.started), asked

    world.settle()

    mine = [tokens for tokens, suite in sorted(world.facts.reports) if suite == "mine"]
    wanted = mine if "all" in asked else [FIRST]
    assert world.started[before:] == [Evaluation(tokens, "mine") for tokens in wanted]
    assert world.journal.reevaluations == (asked,)


@pytest.mark.parametrize("asked", ["yes", "8193", "", "all/other", f"{FIRST}/other"])
def test_a_checkpoint_that_there_is_not_is_named(asked: str) -> None:
    world = World(a_small_run(), NEVER)
    world.settle()
    before, world.reevaluate = len(world.started), asked

    world.settle()

    assert (len(world.started), world.reevaluate) == (before, None)
    assert f"there is no complete checkpoint {asked}, or no such suite" in world.events[-1].message
