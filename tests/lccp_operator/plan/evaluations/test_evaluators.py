"""Evaluators start oldest first, and are deleted once their outcome is recorded."""

from dataclasses import replace

import pytest
from evaluated_world import FIRST, SECOND, THIRD, a_world, begun, fail_once, outcome
from operator_world import KEYS, conditions, manifest_of, report_of, with_spec

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType, Reason
from lccp.api.exits import ExitCode
from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Pinned
from lccp_operator.intents import DeleteWorkload, Plan, RecordJournal
from lccp_operator.observed import Known
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState


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


def test_a_failure_for_good_keeps_its_workload_for_the_log() -> None:
    world = a_world(retries=0)
    fail_once(world)
    world.reconcile()
    world.pass_time()

    assert Evaluation(FIRST) in world.workers


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


def test_an_evaluator_that_does_not_end_after_its_report_is_deleted() -> None:
    world = a_world()
    world.reconcile()
    report = report_of(manifest_of(FIRST)).to_json()
    world.store.put(KEYS.report(FIRST, INTRINSIC), report)
    pod = Pod(0, "a", Phase.RUNNING, began_at=world.now)
    runs = Known({Evaluation(FIRST): WorkloadState(Phase.RUNNING, (pod,))})

    def deleted(seconds: float) -> bool:
        world.pass_time(seconds)
        decided = world.reconcile(replace(world.observed(), workloads=runs))
        return DeleteWorkload(Evaluation(FIRST)) in decided.intents

    assert not deleted(0)
    assert not deleted(29)
    assert deleted(1)
    assert world.run.status is not None
    assert "reported nothing" not in str(world.run.status.conditions)


SUITE = {"name": "mine", "command": ["./mine"], "everyCheckpoints": 2}


def test_external_suites_evaluate_the_checkpoints_that_are_theirs_beside_the_probes() -> None:
    world = a_world(checkpoints=3, concurrency=8, suites=[SUITE])

    assert begun(world.reconcile()) == [
        Evaluation(FIRST),
        Evaluation(SECOND),
        Evaluation(THIRD),
        Evaluation(FIRST, "mine"),
        Evaluation(THIRD, "mine"),
    ]


def test_the_probes_of_every_checkpoint_go_before_external_suites() -> None:
    world = a_world(checkpoints=3, concurrency=1, suites=[SUITE])
    order = []
    for _ in range(4):
        (one,) = begun(world.reconcile())
        order.append(one.suite)
        world.evaluate()

    assert order == ["intrinsic"] * 3 + ["mine"]


def test_a_run_is_at_rest_when_its_external_suites_have_ended_too() -> None:
    world = a_world(suites=[SUITE])

    world.settle()

    suites = {key.partition("/")[2] for key in world.journal.evaluations}
    assert suites == {"intrinsic", "mine"}
    assert all(one.result == "Succeeded" for one in world.journal.evaluations.values())


def test_a_suite_that_failed_for_good_is_named_and_hides_nothing_of_the_probes() -> None:
    world = a_world(retries=0, concurrency=2, suites=[SUITE])
    world.reconcile()
    world.evaluate()
    world.evaluate(ExitCode.INTERNAL)
    world.reconcile()

    assert world.run.status is not None
    told = {one.type: one.message for one in world.run.status.conditions}
    assert "suite mine" in told[ConditionType.DEGRADED]
    outcomes = {key.partition("/")[2]: one for key, one in world.journal.evaluations.items()}
    assert (outcomes["intrinsic"].result, outcomes["mine"].result) == ("Succeeded", "Failed")


def test_a_suite_that_is_taken_out_is_not_waited_for() -> None:
    world = a_world(concurrency=2, suites=[SUITE])
    assert Evaluation(FIRST, "mine") in begun(world.reconcile())

    world.run = with_spec(world.run, evaluation={"concurrency": 2})
    decided = world.reconcile()

    assert DeleteWorkload(Evaluation(FIRST, "mine")) in decided.intents
    assert DeleteWorkload(Evaluation(FIRST)) not in decided.intents


@pytest.mark.parametrize("there", ["another's report", "a damaged report", "no checkpoint"])
def test_an_evaluator_whose_report_would_not_count_is_ended(there: str) -> None:
    world = a_world(checkpoints=2)
    assert begun(world.reconcile()) == [Evaluation(FIRST)]
    if there == "no checkpoint":
        world.store.delete(KEYS.checkpoint_manifest(FIRST))
    else:
        report = b"{" if "damaged" in there else report_of(manifest_of(SECOND)).to_json()
        world.store.put(KEYS.report(FIRST, INTRINSIC), report)

    assert DeleteWorkload(Evaluation(FIRST)) in world.reconcile().intents
    world.pass_time()
    assert begun(world.reconcile()) == [Evaluation(SECOND)]


@pytest.mark.parametrize("there", ["its report", "a damaged manifest"])
def test_an_evaluator_whose_report_may_count_is_left_alone(there: str) -> None:
    world = a_world(checkpoints=2)
    assert begun(world.reconcile()) == [Evaluation(FIRST)]
    if there == "its report":
        report = report_of(manifest_of(FIRST)).to_json()
        world.store.put(KEYS.report(FIRST, INTRINSIC), report)
    else:
        world.store.put(KEYS.checkpoint_manifest(FIRST), b"{")

    assert DeleteWorkload(Evaluation(FIRST)) not in world.reconcile().intents
