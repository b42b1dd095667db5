"""A gang is complete, or is replaced as a whole."""

from dataclasses import replace
from datetime import timedelta

import pytest
from attempted_world import (
    CLOCKS,
    POLICY,
    REFUSED,
    a_training_world,
    a_world,
    gangs,
    gathering,
    observed,
    observed_gang,
)
from operator_world import (
    BUDGET_TOKENS,
    KEYS,
    NEVER,
    START,
    World,
    a_small_run,
    conditions,
    heartbeat_of,
    manifest_of,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType, Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.training import End
from lccp_operator.intents import (
    DeleteWorkload,
    RecordJournal,
)
from lccp_operator.observed import Known
from lccp_operator.plan.attempts.waits import HEARD_SECONDS
from lccp_operator.plan.finish import ENDING_SECONDS
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training


def test_a_gang_of_which_a_pod_was_replaced_is_replaced_as_a_whole() -> None:
    world = a_training_world()
    first, second = Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING)
    world.reconcile(observed_gang(world, first, second))
    assert world.journal.gang is not None

    decided = world.plan(observed_gang(world, first, replace(second, uid="c")))

    record = next(i for i in decided.intents if isinstance(i, RecordJournal))
    attempt = record.journal.attempts[-1]
    assert (attempt.cause, attempt.counted) == (Cause.INCOHERENT_GANG, False)
    assert DeleteWorkload(Training(1)) in decided.intents
    assert Training(2) not in gangs(decided)


def test_a_gang_that_a_queue_admitted_again_has_new_pods_and_is_coherent() -> None:
    world = a_training_world()
    first, second = Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING)
    world.reconcile(observed_gang(world, first, second))

    renewed = replace(first, uid="c"), replace(second, uid="d")
    world.reconcile(observed_gang(world, *renewed, start=60))

    assert world.journal.attempts[-1].ended_at is None


def test_a_gang_that_is_not_complete_yet_is_not_compared() -> None:
    world = a_training_world()
    first, second = Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING)
    world.reconcile(observed_gang(world, first, second))

    starting = replace(second, uid="c", phase=Phase.PENDING)
    decided = world.plan(observed_gang(world, first, starting))

    assert DeleteWorkload(Training(1)) not in decided.intents


def test_an_attempt_whose_job_is_gone_lasts_as_long_as_its_pods() -> None:
    world = a_training_world()
    left = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING),), deleting=True)

    decided = world.reconcile(observed(world, {Training(1): left}))

    assert (gangs(decided), world.journal.attempts[-1].ended_at) == ([], None)
    world.reconcile(observed(world, {}))
    assert world.journal.attempts[0].cause is Cause.LOST


def test_a_gang_that_lingers_ends_by_its_exit_code_and_its_nodes_are_freed() -> None:
    world = a_training_world()
    failed = Pod(0, "a", Phase.FAILED, exit_code=70, lingers=True)
    gang = WorkloadState(Phase.FAILED, (failed, Pod(1, "b", Phase.RUNNING)), pods_expected=2)

    decided = world.reconcile(observed(world, {Training(1): gang}))

    (attempt,) = world.journal.attempts
    assert (attempt.cause, attempt.counted) == (Cause.INTERNAL, True)
    assert DeleteWorkload(Training(1)) in decided.intents
    assert gangs(decided) == []


def test_a_gang_with_a_lost_pod_is_replaced_once_its_other_pods_are_gone() -> None:
    world = a_training_world()
    lost = Pod(0, "a", Phase.RUNNING, deleting=True, lost=True)
    peer = Pod(1, "b", Phase.RUNNING)

    decided = world.reconcile(observed_gang(world, lost, peer))
    (attempt,) = world.journal.attempts
    assert (attempt.cause, attempt.counted) == (Cause.DISRUPTED, False)
    assert DeleteWorkload(Training(1)) in decided.intents

    ending = observed_gang(world, lost, replace(peer, deleting=True), deleting=True)
    waiting = world.plan(ending)
    assert waiting.requeue_after_seconds == ENDING_SECONDS
    assert DeleteWorkload not in {type(intent) for intent in waiting.intents}
    assert gangs(waiting) == []

    left = world.plan(observed_gang(world, lost, deleting=True))
    assert DeleteWorkload(Training(1), wait_for_pods=False) in left.intents
    assert gangs(left) == []
    world.pass_time(HEARD_SECONDS)
    assert gangs(world.plan(replace(world.observed(), workloads=Known({})))) == [Training(2)]


def test_a_workload_is_not_created_beside_a_gang_that_came_back() -> None:
    world = a_training_world()
    world.end_training(ExitCode.TERMINATED)
    world.reconcile()
    stale = WorkloadState(Phase.RUNNING, (Pod(0, "z", Phase.RUNNING),))

    decided = world.plan(observed(world, {Training(1): stale}))

    assert decided.intents[0] == DeleteWorkload(Training(1))
    assert gangs(decided) == []


def test_a_gang_that_lacks_a_pod_says_which_and_why() -> None:
    world = World(a_small_run(), NEVER)
    world.reconcile()
    peer = Pod(0, "a", Phase.RUNNING)

    world.reconcile(observed_gang(world, peer, trouble=REFUSED))

    assert conditions(world.run)["Training"] == ("False", "QuotaExceeded")
    assert world.run.status is not None
    told = {c.type: c.message for c in world.run.status.conditions}[ConditionType.TRAINING]
    assert told.startswith("attempt 1, 1 of 2 pods: exceeded quota: gpus")
    assert "topology.queueName" in told


@pytest.mark.parametrize(
    ("seconds", "whole", "cause", "counted"),
    [
        (900, False, Cause.INCOMPLETE_GANG, False),
        (900, True, Cause.INTERNAL, True),
        (30, False, Cause.INTERNAL, True),
    ],
    ids=["never met", "met", "too fast to be seen"],
)
def test_a_gang_that_never_met_is_not_counted(
    seconds: int, whole: bool, cause: Cause, counted: bool
) -> None:
    world = World(a_small_run(restartPolicy=POLICY), NEVER)
    world.reconcile()
    peers = (Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING))
    world.reconcile(observed_gang(world, *peers[: 1 + whole]))
    world.pass_time(seconds)
    failed = WorkloadState(
        Phase.FAILED, (Pod(0, "a", Phase.FAILED, exit_code=70),), 2, started_at=START
    )

    world.reconcile(observed(world, {Training(1): failed}))

    ended = world.journal.attempts[0]
    assert (ended.cause, ended.counted) == (cause, counted)


def test_a_gang_that_is_not_whole_in_time_gives_its_nodes_back_and_waits() -> None:
    world = World(a_small_run(restartPolicy=POLICY, topology={"gangTimeoutSeconds": 300}), NEVER)
    world.reconcile()
    assert gathering(world, 100).due_after_seconds == pytest.approx(200)
    waits = heartbeat_of(1, 0, START, phase="Starting")
    world.store.put(KEYS.heartbeat(waits.writer), waits.to_json())

    decided = gathering(world, 301)

    (attempt,) = world.journal.attempts
    assert (attempt.cause, attempt.counted) == (Cause.INCOMPLETE_GANG, False)
    assert attempt.message == (
        "had 1 of 2 pods for topology.gangTimeoutSeconds: exceeded quota: gpus"
    )
    assert DeleteWorkload(Training(1)) in decided.intents
    assert conditions(world.run)["Degraded"] == ("True", "Restarting")


def test_a_gang_that_was_whole_is_not_limited() -> None:
    world = World(a_small_run(topology={"gangTimeoutSeconds": 300}), NEVER)
    world.reconcile()
    world.reconcile(observed_gang(world, Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING)))

    gathering(world, 301)

    assert world.journal.attempts[0].ended_at is None


def test_a_gang_that_is_not_as_requested_ends_at_once_and_is_told() -> None:
    world = a_training_world()
    trouble = Trouble(Reason.POD_REJECTED, "spec.completions is 1, not 2")
    changed = WorkloadState(Phase.PENDING, trouble=trouble, changed=True)
    end = DeleteWorkload(Training(1), wait_for_pods=False)

    decided = world.plan(observed(world, {Training(1): changed}))
    later = world.plan(observed(world, {Training(1): replace(changed, deleting=True)}))

    assert end in decided.intents
    assert [event.message for event in decided.events] == [f"attempt 1: {trouble.message}"]
    assert end not in later.intents


def degraded(world: World) -> str:
    assert world.run.status is not None
    return {c.type: c.message for c in world.run.status.conditions}[ConditionType.DEGRADED]


def test_what_a_gang_needs_to_meet_is_made_again_and_told() -> None:
    world = a_world(topology={"nodes": 2})
    world.reconcile()
    pods = Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING)

    assert gangs(world.reconcile(observed_gang(world, *pods, apart=True))) == [Training(1)]
    assert degraded(world).endswith("changed what it selects: it is made again")
    apart = observed_gang(world, *pods, apart=True)
    world.reconcile(replace(apart, rejected={Training(1): REFUSED}))
    assert degraded(world).endswith("which is refused: exceeded quota: gpus")

    assert gangs(world.reconcile(observed_gang(world, *pods))) == []
    assert degraded(world) == ""
    assert gangs(world.reconcile(observed_gang(world, *pods, apart=True, deleting=True))) == []


@pytest.mark.parametrize("ends", ["not as requested", "too late to save"])
def test_nothing_is_made_again_for_a_gang_that_must_end(ends: str) -> None:
    world = a_world(topology={"nodes": 2}, saturation={"drainTimeoutSeconds": 60})
    world.reconcile()
    changed = ends == "not as requested"
    pods = Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING)
    world.reconcile(observed_gang(world, *pods))
    if not changed:
        world.run = with_spec(world.run, suspend=True)
        world.reconcile(observed_gang(world, *pods))
        world.now = START + timedelta(seconds=61)

    decided = world.plan(observed_gang(world, *pods, apart=True, changed=changed))

    assert DeleteWorkload(Training(1), wait_for_pods=not changed) in decided.intents
    assert gangs(decided) == []


@pytest.mark.parametrize("off", CLOCKS)
@pytest.mark.parametrize(
    ("result", "uid", "after", "over"),
    [
        (Cause.COMPLETED, "00000001-7", 29, False),
        (Cause.COMPLETED, "00000001-7", 30, True),
        (Cause.COMPLETED, "00000002-7", 30, True),
        (Cause.INTERNAL, "00000001-7", 30, True),
        (Cause.DISRUPTED, "00000002-7", 600, False),
    ],
    ids=["ends", "hangs", "its Job makes pods anew", "failed and hangs", "admitted again"],
)
def test_a_gang_whose_end_is_in_the_store_is_over_though_its_pods_do_not_end(
    result: Cause, uid: str, after: int, over: bool, off: timedelta
) -> None:
    world = a_training_world()
    manifest = manifest_of(BUDGET_TOKENS).to_json()
    world.store.put(KEYS.checkpoint_manifest(BUDGET_TOKENS), manifest)
    end = End(result=result, tokens=BUDGET_TOKENS, at=world.now + off)
    world.store.put(KEYS.end(heartbeat_of(1, 0, world.now).writer), end.to_json())
    gang = {Training(1): WorkloadState(Phase.RUNNING, (Pod(0, uid, Phase.RUNNING),))}
    world.reconcile(observed(world, gang))
    world.pass_time(after)

    decided = world.reconcile(observed(world, gang))

    attempt = world.journal.attempts[0]
    assert attempt.cause is (result if over else None)
    assert ("its pods did not end: they are deleted" in attempt.message) is over
    assert (DeleteWorkload(Training(1)) in decided.intents) is over
    assert gangs(decided) == []


def test_the_first_of_several_good_ends_of_an_attempt_counts() -> None:
    """Its Job makes a pod again and again, and each writes an end of its own."""
    world = a_training_world()
    manifest = manifest_of(BUDGET_TOKENS).to_json()
    world.store.put(KEYS.checkpoint_manifest(BUDGET_TOKENS), manifest)
    for writer in ("a1-00000001", "a1-00000002"):
        beat = heartbeat_of(1, BUDGET_TOKENS, world.now).model_copy(update={"writer": writer})
        end = End(result=Cause.COMPLETED, tokens=BUDGET_TOKENS, at=world.now)
        world.store.put(KEYS.heartbeat(writer), beat.to_json())
        world.store.put(KEYS.end(writer), end.to_json())
        world.pass_time(15)
    gang = WorkloadState(Phase.RUNNING, (Pod(0, "c", Phase.RUNNING, began_at=world.now),))

    world.reconcile(replace(world.observed(), workloads=Known({Training(1): gang})))

    assert world.journal.attempts[0].cause is Cause.COMPLETED
