"""Attempts of the gang: started, ended, replaced, drained."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    NEVER,
    START,
    World,
    a_small_run,
    conditions,
    heartbeat_of,
    started,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType, Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.training import Fetched
from lccp_operator.intents import (
    ApplyWorkload,
    DeleteWorkload,
    Plan,
    RecordJournal,
    WriteControl,
)
from lccp_operator.observed import Known, Observed
from lccp_operator.plan.finish import ENDING_SECONDS
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training

POLICY = {"maxRestarts": 3, "backoffSeconds": 10, "maxBackoffSeconds": 35}


def a_world(**spec: Any) -> World:
    return World(a_small_run(**{"restartPolicy": POLICY} | spec), NEVER)


def a_training_world(**spec: Any) -> World:
    """Its first attempt trains, with one checkpoint made."""
    world = a_world(**spec)
    world.reconcile()
    world.train()
    world.reconcile()
    return world


def gangs(decided: Plan) -> list[Workload]:
    return [workload for workload in started(decided) if isinstance(workload, Training)]


def training(world: World) -> tuple[str, str]:
    return conditions(world.run)["Training"]


def observed(world: World, workloads: Mapping[Workload, WorkloadState]) -> Observed:
    return replace(world.observed(), workloads=Known(workloads))


def observed_gang(world: World, *pods: Pod, start: int = 0, **state: Any) -> Observed:
    gang = WorkloadState(
        Phase.RUNNING, pods, 2, started_at=START + timedelta(seconds=start), **state
    )
    return observed(world, {Training(1): gang})


def test_the_first_attempt_is_journalled_with_its_workload() -> None:
    world = a_world()

    decided = world.reconcile()

    assert gangs(decided) == [Training(1)]
    assert [a.number for a in world.journal.attempts] == [1]


def test_an_attempt_whose_workload_was_never_created_is_created_again() -> None:
    world = a_world()
    world.steps_before_crash = 2  # identity and journal are written, the workload is not
    world.reconcile()
    assert world.workers == {}

    assert gangs(world.reconcile()) == [Training(1)]


def test_an_attempt_that_disappeared_after_a_heartbeat_is_lost_and_replaced_uncounted() -> None:
    world = a_training_world()
    world.workers.clear()

    decided = world.reconcile()

    lost, current = world.journal.attempts
    assert (lost.cause, lost.counted) == (Cause.LOST, False)
    assert (current.number, gangs(decided)) == (2, [Training(2)])


@pytest.mark.parametrize("code", [69, 70, 74])
def test_a_counted_failure_is_answered_after_a_wait_that_doubles_up_to_its_bound(
    code: int,
) -> None:
    world = a_training_world()
    for wait in (10, 20, 35):
        world.end_training(code)
        assert gangs(world.reconcile()) == []
        assert training(world) == ("False", "BackingOff")
        world.pass_time(wait - 1)
        assert gangs(world.reconcile()) == []
        world.pass_time(1)
        assert gangs(world.reconcile()) != []


def test_restarts_are_exhausted_when_counted_failures_exceed_the_policy() -> None:
    world = a_training_world()
    for _ in range(4):
        world.end_training(ExitCode.INTERNAL)
        world.reconcile()
        world.pass_time(35)
        world.reconcile()

    assert world.trainer is None
    assert conditions(world.run)["Failed"] == ("True", "RestartsExhausted")


@pytest.mark.parametrize(("code", "reason"), [(64, "Configuration"), (76, "NotFinite")])
def test_what_cannot_be_cured_by_a_restart_fails_the_run(code: int, reason: str) -> None:
    world = a_training_world()
    world.end_training(code)

    decided = world.reconcile()

    assert conditions(world.run)["Failed"] == ("True", reason)
    assert conditions(world.run)["Succeeded"] == ("False", reason)
    assert gangs(decided) == []


def test_not_finite_is_retried_if_the_policy_says_so() -> None:
    world = a_training_world(restartPolicy=POLICY | {"retryNotFinite": True})
    world.end_training(ExitCode.NOT_FINITE)
    world.reconcile()
    world.pass_time(10)

    assert gangs(world.reconcile()) == [Training(2)]


@pytest.mark.parametrize(
    ("code", "how"), [(75, {}), (137, {"disrupted": True})], ids=["terminated", "disrupted"]
)
def test_a_disruption_is_answered_at_once_and_not_counted(code: int, how: dict[str, bool]) -> None:
    world = a_training_world(restartPolicy={"maxRestarts": 0})
    world.end_training(code, **how)

    assert Training(2) in gangs(world.reconcile())
    assert not world.journal.attempts[0].counted


def test_a_new_attempt_waits_until_the_last_pod_of_the_old_one_is_gone() -> None:
    world = a_training_world()
    lingering = (Pod(0, "a", Phase.FAILED, exit_code=75), Pod(1, "b", Phase.RUNNING, deleting=True))
    old = WorkloadState(Phase.FAILED, lingering, 2)
    gone = WorkloadState(Phase.FAILED, lingering[:1], 2)

    waiting = world.plan(observed(world, {Training(1): old}))
    going_on = world.plan(observed(world, {Training(1): gone}))

    assert gangs(waiting) == []
    assert Training(2) in gangs(going_on)


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


def test_a_queued_gang_is_shown_as_queued_and_keeps_its_attempt() -> None:
    world = a_training_world()
    queued = WorkloadState(Phase.QUEUED)

    world.reconcile(observed(world, {Training(1): queued}))

    assert training(world) == ("False", "Queued")
    assert world.run.status is not None
    assert world.run.status.summary == "Queued"
    assert world.journal.attempts[-1].ended_at is None


def test_suspend_drains_and_resumes_exactly_there() -> None:
    world = a_training_world()
    world.run = with_spec(world.run, suspend=True)
    world.reconcile()
    assert training(world) == ("True", "Draining")
    assert KEYS.control(1) in world.store.objects
    assert conditions(world.run)["Suspended"] == ("False", "Draining")

    world.train()
    world.reconcile()
    assert training(world) == ("False", "SuspendedByUser")
    assert conditions(world.run)["Suspended"] == ("True", "SuspendedByUser")
    assert world.journal.attempts[0].cause is Cause.DRAINED

    world.run = with_spec(world.run, suspend=False)
    assert Training(2) in gangs(world.reconcile())
    world.settle()
    assert sorted(world.facts.checkpoints) == list(
        range(EVERY_TOKENS, BUDGET_TOKENS + 1, EVERY_TOKENS)
    )


def test_a_drain_that_takes_too_long_ends_with_the_workload_deleted() -> None:
    world = a_training_world(saturation={"drainTimeoutSeconds": 60})
    world.run = with_spec(world.run, suspend=True)
    world.reconcile()
    world.pass_time(61)

    decided = world.reconcile()
    assert DeleteWorkload(Training(1)) in decided.intents
    world.pass_time()
    world.reconcile()

    assert world.journal.attempts[0].cause is Cause.LOST
    assert conditions(world.run)["Suspended"][0] == "True"


def test_a_gang_that_had_not_begun_is_deleted_instead_of_drained() -> None:
    world = a_world()
    world.reconcile()
    world.run = with_spec(world.run, suspend=True)
    pending = WorkloadState(Phase.QUEUED)

    decided = world.reconcile(observed(world, {Training(1): pending}))

    assert DeleteWorkload(Training(1)) in decided.intents
    assert world.journal.attempts[0].cause is Cause.DRAINED


def test_nothing_begins_beside_pods_whose_job_is_gone() -> None:
    world = a_training_world(restartPolicy={"maxRestarts": 1, "backoffSeconds": 0})
    left = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING, deleting=True),), deleting=True)
    world.end_training(ExitCode.INTERNAL)

    decided = world.reconcile(observed(world, {}))
    assert gangs(decided) == [Training(2)]
    decided = world.plan(observed(world, {Training(1): left}))

    assert gangs(decided) == []
    assert decided.requeue_after_seconds == ENDING_SECONDS
    assert gangs(world.plan(observed(world, {}))) == [Training(2)]


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
    assert gangs(world.plan(replace(world.observed(), workloads=Known({})))) == [Training(2)]


def test_a_gang_of_an_ended_attempt_that_comes_back_is_deleted() -> None:
    world = a_training_world()
    world.end_training(ExitCode.TERMINATED)
    world.reconcile()
    stale = WorkloadState(Phase.RUNNING, (Pod(0, "z", Phase.RUNNING),))
    current = WorkloadState(Phase.RUNNING, (Pod(0, "y", Phase.RUNNING),))

    decided = world.plan(observed(world, {Training(1): stale, Training(2): current}))

    assert DeleteWorkload(Training(1)) in decided.intents
    assert DeleteWorkload(Training(2)) not in decided.intents


def test_a_workload_is_not_created_beside_a_gang_that_came_back() -> None:
    world = a_training_world()
    world.end_training(ExitCode.TERMINATED)
    world.reconcile()
    stale = WorkloadState(Phase.RUNNING, (Pod(0, "z", Phase.RUNNING),))

    decided = world.plan(observed(world, {Training(1): stale}))

    assert decided.intents[0] == DeleteWorkload(Training(1))
    assert gangs(decided) == []


def test_the_workloads_of_the_last_two_ended_attempts_stay_for_their_logs() -> None:
    world = a_training_world()
    for _ in range(4):
        world.end_training(ExitCode.TERMINATED)
        world.reconcile()
        world.pass_time()
        world.train()

    attempts = [workload.attempt for workload in world.workers if isinstance(workload, Training)]
    assert attempts == [4, 5]


def test_a_raised_budget_goes_on_after_the_run_had_succeeded() -> None:
    world = a_world()
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")

    training = world.run.document()["spec"]["training"] | {"tokens": 2 * BUDGET_TOKENS}
    world.run = with_spec(world.run, training=training)
    world.settle()

    assert max(world.facts.checkpoints) == 2 * BUDGET_TOKENS
    assert len(world.started) == 2 + 10  # two attempts, ten checkpoints: none evaluated twice


def test_a_lost_journal_never_leads_to_an_attempt_number_that_was_used() -> None:
    world = a_training_world()
    world.store.delete(KEYS.journal)
    metadata = world.run.metadata.model_copy(update={"uid": "run-2"})
    world.run = world.run.model_copy(update={"metadata": metadata, "status": None})

    world.settle()

    assert [a.number for a in world.journal.attempts] == [2]
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def topology(nodes: int) -> dict[str, Any]:
    return {"topology": {"nodes": nodes}}


def settings(world: World, attempt: int) -> Any:
    return json.loads(world.store.get(KEYS.control(attempt)))["settings"]["topology"]["nodes"]


def test_an_attempt_is_told_its_settings_before_its_gang_begins() -> None:
    world = a_world(**topology(2))
    decided = world.plan()

    kinds = [type(intent) for intent in decided.intents]
    assert kinds.index(WriteControl) < kinds.index(ApplyWorkload)
    world.reconcile()
    assert settings(world, 1) == 2


def test_changed_settings_take_effect_at_the_next_attempt_and_say_so() -> None:
    world = a_training_world()
    world.run = with_spec(world.run, **topology(2))
    world.reconcile()

    assert settings(world, 1) == 1
    assert len(world.journal.attempts) == 1
    assert world.run.status is not None
    (accepted,) = [c for c in world.run.status.conditions if c.type is ConditionType.ACCEPTED]
    assert "taking effect at the next attempt: topology.nodes" in accepted.message
    world.end_training(ExitCode.TERMINATED)
    world.settle()
    assert settings(world, 2) == 2


def test_a_gang_that_has_not_begun_is_replaced_by_one_with_the_changed_settings() -> None:
    world = a_world(**topology(4))
    world.reconcile()
    pending = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.PENDING),))
    world.run = with_spec(world.run, **topology(2))

    decided = world.reconcile(observed(world, {Training(1): pending}))

    assert DeleteWorkload(Training(1)) in decided.intents
    assert (world.journal.attempts[0].cause, world.journal.attempts[0].counted) == (
        Cause.DRAINED,
        False,
    )
    world.workers.clear()
    world.reconcile()
    assert [a.number for a in world.journal.attempts] == [1, 2]
    assert settings(world, 2) == 2


def test_a_gang_that_could_not_be_created_gets_the_changed_settings() -> None:
    world = a_world(**topology(4))
    world.reconcile()
    world.workers.clear()
    world.run = with_spec(world.run, **topology(2))

    decided = world.reconcile()

    assert gangs(decided) == [Training(1)]
    assert settings(world, 1) == 2


def test_a_drain_leaves_the_settings_of_the_attempt() -> None:
    world = a_training_world()
    world.run = with_spec(world.run, suspend=True, **topology(2))
    world.reconcile()

    control = json.loads(world.store.get(KEYS.control(1)))
    assert control["request"] == "Drain"
    assert settings(world, 1) == 1


def test_a_gang_that_an_older_version_started_can_be_drained() -> None:
    world = a_training_world()
    world.store.delete(KEYS.control(1))
    world.reconcile()
    assert KEYS.control(1) not in world.store.objects

    world.run = with_spec(world.run, suspend=True)
    world.reconcile()

    assert json.loads(world.store.get(KEYS.control(1))) == {"schemaVersion": 1, "request": "Drain"}


def test_a_pod_that_its_kubelet_rejects_is_counted_and_backs_off() -> None:
    world = World(a_small_run(restartPolicy=POLICY), NEVER)
    world.reconcile()
    rejected = Pod(0, "a", Phase.FAILED, failure="OutOfcpu: Node didn't have enough resource: cpu")
    only = {Training(1): WorkloadState(Phase.FAILED, (rejected,))}

    decided = world.reconcile(replace(world.observed(), workloads=Known(only)))

    (attempt,) = world.journal.attempts
    assert (attempt.cause, attempt.counted) == (Cause.INTERNAL, True)
    assert "OutOfcpu: Node didn't have enough resource: cpu" in attempt.message
    assert conditions(world.run)["Training"] == ("False", "BackingOff")
    assert conditions(world.run)["Degraded"] == ("True", "Restarting")
    assert decided.due_after_seconds == POLICY["backoffSeconds"]

    world.pass_time(POLICY["backoffSeconds"])
    world.reconcile()
    world.train()
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


SOME_IS_HERE = {"fetched": Fetched(size=1, total=2)}


@pytest.mark.parametrize(
    "told", [None, SOME_IS_HERE, {}], ids=["no process", "while it fetched", "while it loaded"]
)
def test_attempts_that_end_uncounted_before_they_begin_back_off_too(
    told: dict[str, Any] | None,
) -> None:
    world = World(a_small_run(restartPolicy=POLICY), NEVER)
    began = []
    for _ in range(400):
        world.reconcile()
        if world.trainer is not None:
            began.append(world.now)
            if told is not None:
                beat = heartbeat_of(len(began), 0, world.now, phase="Starting", **told)
                world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
            world.end_training(ExitCode.INTERNAL, disrupted=True)
        world.pass_time()

    waits = [(after - before).total_seconds() for before, after in pairwise(began)]
    longest = POLICY["maxBackoffSeconds"]
    assert waits[0] < POLICY["backoffSeconds"]
    assert all(wait >= longest for wait in waits[3:])
    assert len(began) < 20
    assert not any(attempt.counted for attempt in world.journal.attempts)
    assert conditions(world.run)["Degraded"] == ("True", "Restarting")


REFUSED = Trouble(Reason.QUOTA_EXCEEDED, "exceeded quota: gpus")


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


def gathering(world: World, seconds: int) -> Plan:
    """A reconcile so long after one of two pods began."""
    world.now = START + timedelta(seconds=seconds)
    peer = Pod(0, "a", Phase.RUNNING, began_at=START)
    return world.reconcile(observed_gang(world, peer, trouble=REFUSED))


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
