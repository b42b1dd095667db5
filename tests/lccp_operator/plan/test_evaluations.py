"""Evaluations: of every complete checkpoint, oldest first, recorded before their workloads go."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    conditions,
    manifest_of,
    report_of,
    saturating_at,
    started,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType, Reason
from lccp.api.exits import ExitCode
from lccp.api.labels import INTRINSIC, evaluation_key
from lccp.api.objects.journal import EvaluationOutcome, Pinned
from lccp_operator.apply import ANSWERS_KEPT
from lccp_operator.intents import DeleteWorkload, EventReason, Plan, RecordJournal
from lccp_operator.observed import Known
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training

FIRST, SECOND, THIRD = EVERY_TOKENS, 2 * EVERY_TOKENS, 3 * EVERY_TOKENS


def a_world(checkpoints: int = 1, policy: dict[str, int] | None = None, **evaluation: Any) -> World:
    """A world with so many checkpoints, none of them evaluated."""
    world = World(a_small_run(evaluation=evaluation, restartPolicy=policy or {}), NEVER)
    world.reconcile()
    for _ in range(checkpoints):
        world.train()
    return world


def begun(decided: Plan) -> list[Workload]:
    return [workload for workload in started(decided) if isinstance(workload, Evaluation)]


def outcome(world: World, tokens: int = FIRST) -> EvaluationOutcome | None:
    return world.journal.evaluations.get(evaluation_key(tokens, INTRINSIC))


def fail_once(
    world: World, code: int = ExitCode.INTERNAL, wait_seconds: float = 360, **how: bool
) -> None:
    """A try fails, its workload goes, and the longest wait is over."""
    world.reconcile()
    world.evaluate(code, **how)
    world.reconcile()
    world.pass_time(wait_seconds)


def test_a_checkpoint_without_manifest_is_not_evaluated() -> None:
    world = a_world(checkpoints=0)
    world.store.put(f"{KEYS.checkpoint(FIRST, 'a1-00000001')}model.safetensors", b"half")

    assert begun(world.reconcile()) == []


def test_the_oldest_are_evaluated_first_and_not_more_at_once_than_asked_for() -> None:
    world = a_world(checkpoints=4, concurrency=2)

    assert begun(world.reconcile()) == [Evaluation(FIRST), Evaluation(SECOND)]
    assert begun(world.reconcile()) == []
    world.evaluate()
    assert begun(world.reconcile()) == [Evaluation(THIRD)]


def test_concurrency_may_be_raised_while_the_run_goes_on() -> None:
    world = a_world(checkpoints=3)
    world.reconcile()

    world.run = with_spec(world.run, evaluation={"concurrency": 3})

    assert begun(world.reconcile()) == [Evaluation(SECOND), Evaluation(THIRD)]


def test_the_base_model_is_evaluated_as_checkpoint_0() -> None:
    world = a_world(checkpoints=0)
    world.store.put(KEYS.checkpoint_manifest(0), manifest_of(0).to_json())

    assert begun(world.reconcile()) == [Evaluation(0)]


def test_an_outcome_is_journalled_before_its_workload_is_deleted() -> None:
    world = a_world()
    world.reconcile()
    world.evaluate()

    decided = world.plan()

    kinds = [type(i) for i in decided.intents if isinstance(i, RecordJournal | DeleteWorkload)]
    assert kinds == [RecordJournal, DeleteWorkload]
    world.steps_before_crash = 1  # between the journal and the workload
    world.reconcile()
    assert outcome(world) is not None
    assert not any(worker.deleting for worker in world.workers.values())


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


def test_a_failure_for_good_keeps_its_workload_for_the_log() -> None:
    world = a_world(retries=0)
    fail_once(world)
    world.reconcile()
    world.pass_time()

    assert Evaluation(FIRST) in world.workers


def test_more_retries_try_again() -> None:
    world = a_world(retries=0)
    fail_once(world)
    world.run = with_spec(world.run, evaluation={"retries": 1})
    world.reconcile()
    world.pass_time()

    assert begun(world.reconcile()) == [Evaluation(FIRST, number=2)]


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


def test_a_success_after_a_failure_is_no_failure() -> None:
    world = a_world(retries=1)
    fail_once(world)
    world.reconcile()
    world.evaluate()
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
    assert f"delete evaluations/{evaluation_key(FIRST, INTRINSIC)}/" in last.message
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


def test_evaluations_go_on_while_training_is_suspended_or_has_failed() -> None:
    world = a_world()
    world.end_training(ExitCode.CONFIGURATION)

    assert begun(world.reconcile()) == [Evaluation(FIRST)]
    assert conditions(world.run)["Failed"] == ("True", "Configuration")
    assert world.journal.finished_at is None


def test_a_queued_evaluator_is_shown_and_holds_its_place() -> None:
    world = a_world(checkpoints=2)
    world.reconcile()
    world.end_training(ExitCode.OK, Cause.COMPLETED)
    workloads = world.observed().workloads
    queued = WorkloadState(Phase.QUEUED)

    decided = world.reconcile(
        replace(world.observed(), workloads=replace(workloads, value={Evaluation(FIRST): queued}))
    )

    assert begun(decided) == []
    assert conditions(world.run)["Evaluating"] == ("False", "Queued")


def test_a_failed_evaluator_that_lingers_is_deleted_though_its_log_would_be_kept() -> None:
    world = a_world()
    world.reconcile()
    pod = Pod(0, "a", Phase.FAILED, exit_code=64, lingers=True)

    def deleted(pod: Pod) -> bool:
        found = replace(
            world.observed().workloads,
            value={Evaluation(FIRST): WorkloadState(Phase.FAILED, (pod,))},
        )
        decided = world.plan(replace(world.observed(), workloads=found))
        return DeleteWorkload(Evaluation(FIRST)) in decided.intents

    assert deleted(pod)
    assert not deleted(replace(pod, lingers=False))


def test_a_waiting_evaluator_is_made_anew_once_its_settings_are_changed_and_no_try_counts() -> None:
    world = a_world()
    world.reconcile()
    made = Evaluation(FIRST).pods(world.run, Pinned()).digest
    trouble = Trouble(Reason.UNSCHEDULABLE, "0/3 nodes: insufficient memory")
    waits = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.PENDING),), trouble=trouble)
    runs = replace(waits, phase=Phase.RUNNING, pods=(Pod(0, "a", Phase.RUNNING),))

    def planned(state: WorkloadState) -> Plan:
        known = Known({Evaluation(FIRST): state})
        return world.plan(replace(world.observed(), workloads=known))

    replaced = DeleteWorkload(Evaluation(FIRST))
    assert replaced not in planned(replace(waits, settings=made)).intents
    world.run = with_spec(
        world.run, evaluation={"workload": {"resources": {"requests": {"memory": "1Gi"}}}}
    )
    assert replaced in planned(replace(waits, settings=made)).intents
    assert replaced not in planned(replace(runs, settings=made)).intents
    assert replaced not in planned(replace(waits, settings=made, deleting=True)).intents
    assert replaced not in planned(waits).intents
    world.workers.clear()
    assert begun(world.reconcile()) == [Evaluation(FIRST, number=1)]


def test_an_evaluator_whose_pod_is_lost_is_given_up_and_the_try_made_again() -> None:
    world = a_world()
    world.reconcile()
    lost = Pod(0, "a", Phase.RUNNING, deleting=True, lost=True)
    workload = WorkloadState(Phase.RUNNING, (lost,))

    decided = world.reconcile(
        replace(world.observed(), workloads=Known({Evaluation(FIRST): workload}))
    )
    assert DeleteWorkload(Evaluation(FIRST), wait_for_pods=False) in decided.intents
    recorded = outcome(world)
    assert recorded is not None
    assert (recorded.tries, recorded.cause) == (0, Cause.DISRUPTED)
    told = [event.message for event in decided.events]
    assert any(message.startswith(f"checkpoint {FIRST:,}: lost a pod") for message in told)

    again = world.plan(replace(world.observed(), workloads=Known({})))
    assert begun(again) == [Evaluation(FIRST, number=1)]


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
    assert "lccp.io/reevaluate=all was answered: to ask again, add a word" in accepted.message

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


@pytest.mark.parametrize("asked", ["yes", "8193", ""])
def test_a_checkpoint_that_there_is_not_is_named(asked: str) -> None:
    world = World(a_small_run(), NEVER)
    world.settle()
    before, world.reevaluate = len(world.started), asked

    world.settle()

    assert (len(world.started), world.reevaluate) == (before, None)
    assert f"there is no complete checkpoint {asked}: name `all`" in world.events[-1].message


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
