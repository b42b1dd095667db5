"""Evaluations end with a report or a failure; a failure never counts as an evaluation."""

from dataclasses import replace

import pytest
from evaluated_world import FIRST, SECOND, a_world, begun, fail_once, outcome
from operator_world import (
    KEYS,
    NEVER,
    World,
    a_small_run,
    conditions,
    heartbeat_of,
    manifest_of,
    report_of,
)
from training_world import message, seen

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType
from lccp.api.exits import ExitCode
from lccp.api.labels import INTRINSIC, tokens_key
from lccp.api.objects.journal import EvaluationOutcome
from lccp_operator.intents import EventReason
from lccp_operator.observed import Known
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import Phase, WorkloadState


def test_a_report_counts_even_if_its_evaluator_is_gone() -> None:
    world = a_world()
    world.store.put(KEYS.report(FIRST), report_of(manifest_of(FIRST)).to_json())

    assert begun(world.reconcile()) == []
    assert outcome(world) == EvaluationOutcome(
        checkpoint_digest=manifest_of(FIRST).digest, result="Succeeded", tries=0, at=world.now
    )


def test_a_failed_try_is_followed_by_the_next_and_then_by_a_failure() -> None:
    world = a_world(retries=1)
    fail_once(world)
    assert outcome(world) is not None
    assert begun(world.reconcile()) == [Evaluation(FIRST, number=2)]

    fail_once(world)

    last = outcome(world)
    assert last is not None
    assert (last.result, last.tries, last.cause) == ("Failed", 2, Cause.INTERNAL)
    assert begun(world.reconcile()) == []
    assert conditions(world.run)["Degraded"] == ("True", "EvaluationFailed")


def test_the_cause_of_a_failure_stays_known_when_its_pods_are_gone() -> None:
    world = a_world(retries=0)
    fail_once(world, out_of_memory=True)
    known = outcome(world)
    assert known is not None
    assert known.cause is Cause.OUT_OF_MEMORY

    gone = WorkloadState(Phase.FAILED)
    world.reconcile(seen(world, workloads=Known({Evaluation(FIRST): gone})))

    assert outcome(world) == known


def test_wrong_input_is_not_tried_again() -> None:
    world = a_world(retries=5)
    fail_once(world, ExitCode.CONFIGURATION)

    assert begun(world.reconcile()) == []


@pytest.mark.parametrize(
    ("code", "how"), [(75, {}), (137, {"disrupted": True})], ids=["terminated", "disrupted"]
)
def test_a_disruption_costs_no_try(code: int, how: dict[str, bool]) -> None:
    world = a_world(retries=0)
    fail_once(world, code, wait_seconds=0, **how)

    first = outcome(world)
    assert first is not None
    assert (first.tries, first.interruptions, first.exhausted) == (0, 1, False)
    assert begun(world.reconcile()) == [Evaluation(FIRST, number=1)]


def test_an_evaluation_that_the_store_refuses_waits_for_other_keys_however_often_it_ends() -> None:
    world = a_world(retries=0)
    for _ in range(4):
        fail_once(world, ExitCode.STORE_REFUSED)

    told = {c.type: c for c in world.run.status.conditions}
    assert told["Degraded"].status == "True"
    assert told["Degraded"].message.startswith(
        f"evaluation of checkpoint {FIRST:,} was refused by the store; it goes on by itself"
    )
    assert begun(world.reconcile()) == [Evaluation(FIRST, number=1)]

    world.reconcile()
    told = {c.type: c for c in world.run.status.conditions}
    assert "refused" not in told["Degraded"].message


def test_a_success_after_a_failure_is_no_failure() -> None:
    world = a_world(retries=1)
    fail_once(world)
    world.reconcile()
    world.evaluate()
    beat = heartbeat_of(1, FIRST, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    last = outcome(world)
    assert last is not None
    assert (last.result, last.tries) == ("Succeeded", 2)
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


def test_a_failed_evaluation_blocks_neither_training_nor_success() -> None:
    world = a_world(retries=0)
    fail_once(world)

    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert conditions(world.run)["Degraded"] == ("True", "EvaluationFailed")


def test_a_report_of_another_schema_version_is_a_failure_that_says_what_to_do() -> None:
    world = a_world()
    report = report_of(manifest_of(FIRST)).to_json()
    world.store.put(
        KEYS.report(FIRST), report.replace(b'"schemaVersion": 2', b'"schemaVersion": 9')
    )

    world.reconcile()
    world.reconcile()

    last = outcome(world)
    assert last is not None
    assert last.result == "Failed"
    assert "has schema version 9" in last.message
    assert f"lccp.io/reevaluate={FIRST}/{INTRINSIC}" in last.message
    assert [e.reason for e in world.events].count(EventReason.EVALUATION_FAILED) == 1
    assert world.plan().intents == ()


def test_a_report_about_other_files_is_not_the_checkpoints() -> None:
    world = a_world()
    world.store.put(KEYS.report(FIRST), report_of(manifest_of(SECOND)).to_json())

    decided = world.reconcile()

    assert decided.verdict is None
    assert outcome(world) is not None
    assert begun(decided) == []


def test_an_outcome_is_of_the_checkpoint_that_is_there_now() -> None:
    world = a_world()
    fail_once(world)
    other = manifest_of(FIRST).model_copy(update={"files": {}})
    world.store.put(KEYS.checkpoint_manifest(FIRST), other.to_json())

    assert begun(world.reconcile()) == [Evaluation(FIRST, number=1)]


def test_a_report_that_was_deleted_is_told_and_evaluated_anew() -> None:
    world = World(a_small_run(evaluation={"retries": 0}), NEVER)
    world.settle()
    measured = sorted(world.facts.checkpoints)
    world.store.delete(KEYS.report(measured[0]))

    world.reconcile()

    assert conditions(world.run)["Degraded"] == ("True", "ObservationIncomplete")
    assert conditions(world.run)["Succeeded"] == ("False", "NotFinished")
    assert "its report was deleted" in world.events[-1].message
    before = len(world.started)
    world.settle()
    assert world.started[before:] == [Evaluation(measured[0], number=1)]
    assert sorted(tokens for tokens, _ in world.facts.reports) == measured
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_an_evaluation_that_is_not_retried_says_how_to_repeat_it() -> None:
    world = a_world()
    world.reconcile()
    world.evaluate(ExitCode.CONFIGURATION)
    world.reconcile()

    failed = outcome(world)
    assert failed is not None
    assert failed.message.endswith(
        "to evaluate it again once that is corrected, annotate the run with "
        f"lccp.io/reevaluate={FIRST}/intrinsic"
    )


def test_what_a_damaged_report_says_to_do_has_it_evaluated_again() -> None:
    world = a_world()
    world.store.put(KEYS.report(FIRST), b"{")
    world.reconcile()
    failed = outcome(world)
    assert failed is not None
    assert failed.message.endswith(f"annotate the run with lccp.io/reevaluate={FIRST}/intrinsic")

    world.reevaluate = failed.message.rpartition("=")[2]
    world.reconcile()

    assert world.reevaluate is None
    assert begun(world.reconcile()) == [Evaluation(FIRST)]


def test_a_report_that_is_overwritten_says_how_to_have_it_made_again() -> None:
    world = a_world()
    world.store.put(KEYS.report(FIRST), report_of(manifest_of(FIRST)).to_json())
    world.reconcile()
    world.store.put(KEYS.report(FIRST), b"{}")

    world.reconcile()

    degraded = message(world, ConditionType.DEGRADED)
    assert f"to evaluate it again, annotate the run with lccp.io/reevaluate={FIRST}/int" in degraded


def test_on_one_machine_a_damaged_report_is_deleted_and_the_command_run_again() -> None:
    world = a_world()
    world.store.put(KEYS.report(FIRST), b"{")
    world.reconcile(replace(world.observed(), by_command=True))

    failed = outcome(world)
    assert failed is not None
    where = f"evaluations/{tokens_key(FIRST)}/intrinsic/"
    remedy = f"delete {where} from the store, then run the same command again"
    assert failed.message.endswith(remedy)
