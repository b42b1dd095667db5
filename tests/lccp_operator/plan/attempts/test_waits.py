"""Attempts wait after failed ones, and for pods that still exist."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from attempted_world import CLOCKS, POLICY, a_training_world, gangs, observed, training
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    an_attached_run,
    begun,
    conditions,
    heartbeat_of,
)
from training_world import message

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType
from lccp.api.exits import ExitCode
from lccp.api.objects.inputs import Fetched
from lccp.api.objects.training import End
from lccp.store.keys import writer_name
from lccp_evaluator.importer.pulse import BEAT_SECONDS
from lccp_operator.observed import Known
from lccp_operator.plan.attempts.waits import HEARD_SECONDS, IMPORTER_HEARD_SECONDS
from lccp_operator.plan.finish import ENDING_SECONDS
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training


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


@pytest.mark.parametrize(
    ("code", "how"), [(75, {}), (137, {"disrupted": True})], ids=["terminated", "disrupted"]
)
def test_a_disruption_is_answered_at_once_and_not_counted(code: int, how: dict[str, bool]) -> None:
    world = a_training_world(restartPolicy={"maxRestarts": 0})
    world.pass_time(HEARD_SECONDS)
    world.end_training(code, **how)

    assert Training(2) in gangs(world.reconcile())
    assert not world.journal.attempts[0].counted


@pytest.mark.parametrize("off", CLOCKS)
@pytest.mark.parametrize("restarted", [False, True], ids=["the same operator", "another operator"])
def test_nothing_begins_beside_an_attempt_that_nobody_sees_but_that_is_heard(
    off: timedelta, restarted: bool
) -> None:
    world = a_training_world()
    for seconds in (-4, -2):
        beat = heartbeat_of(1, EVERY_TOKENS, world.now + off + timedelta(seconds=seconds))
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        world.reconcile()
    world.workers.clear()
    for _ in range(3):
        beat = heartbeat_of(1, EVERY_TOKENS, world.now + off)
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        if restarted:
            world.restart_operator()
        decided = world.reconcile()
        assert gangs(decided) == []
        assert decided.due_after_seconds == HEARD_SECONDS
        assert "it may still work where nobody sees it" in message(world, ConditionType.TRAINING)
        world.pass_time(HEARD_SECONDS - 1)

    world.pass_time(1)
    assert gangs(world.reconcile()) == [Training(2)]


def test_a_clock_that_goes_back_lengthens_no_wait_for_silence() -> None:
    world = a_training_world()
    world.workers.clear()
    world.reconcile()

    world.pass_time(-3_600)
    assert world.reconcile().due_after_seconds == HEARD_SECONDS
    world.pass_time(HEARD_SECONDS)
    assert gangs(world.reconcile()) == [Training(2)]


def test_a_wait_that_began_in_the_future_is_over() -> None:
    """The API server's clock was an hour ahead, and is right now."""
    world = a_training_world()
    world.end_training(ExitCode.INTERNAL)
    world.reconcile()

    world.pass_time(-3_600)
    assert gangs(world.reconcile()) == [Training(2)]


def test_nothing_begins_beside_an_importer_that_nobody_sees_between_two_heartbeats() -> None:
    world = begun(World(an_attached_run(restartPolicy=POLICY), NEVER))
    world.workers.clear()
    world.reconcile()

    world.pass_time(BEAT_SECONDS + 2)
    assert gangs(world.reconcile()) == []
    beat = heartbeat_of(1, EVERY_TOKENS, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.pass_time(BEAT_SECONDS + 2)
    assert gangs(world.reconcile()) == []
    world.pass_time(IMPORTER_HEARD_SECONDS)
    assert gangs(world.reconcile()) == [Training(2)]


@pytest.mark.parametrize("code", [70, 75, 137])
def test_nothing_begins_beside_a_trainer_that_only_its_pods_status_calls_ended(code: int) -> None:
    """Somebody may have written that."""
    world = a_training_world(restartPolicy={"maxRestarts": 1, "backoffSeconds": 0})
    ended = WorkloadState(Phase.FAILED, (Pod(0, "a", Phase.FAILED, exit_code=code),))
    forged = {Training(1): ended}
    for step in range(1, 4):
        beat = heartbeat_of(1, step * EVERY_TOKENS, world.now)
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        assert gangs(world.reconcile(observed(world, forged))) == []
        world.pass_time(HEARD_SECONDS - 1)

    world.store.put(KEYS.state_manifest(3 * EVERY_TOKENS), b"{}")
    end = End(at=world.now, result=Cause.DRAINED, tokens=3 * EVERY_TOKENS)
    world.store.put(KEYS.end(writer_name(1, "00000001")), end.to_json())
    assert Training(2) in gangs(world.reconcile(observed(world, forged)))


def test_an_attempt_that_says_that_it_has_ended_is_not_waited_for() -> None:
    world = a_training_world()
    world.workers.clear()
    assert gangs(world.reconcile()) == []

    end = End(at=world.now, result=Cause.TERMINATED, tokens=EVERY_TOKENS)
    world.store.put(KEYS.end(writer_name(1, "00000001")), end.to_json())
    assert gangs(world.reconcile()) == [Training(2)]


def test_a_new_attempt_waits_until_the_last_pod_of_the_old_one_is_gone() -> None:
    world = a_training_world()
    world.pass_time(HEARD_SECONDS)
    lingering = (Pod(0, "a", Phase.FAILED, exit_code=75), Pod(1, "b", Phase.RUNNING, deleting=True))
    old = WorkloadState(Phase.FAILED, lingering, 2)
    gone = WorkloadState(Phase.FAILED, lingering[:1], 2)

    waiting = world.plan(observed(world, {Training(1): old}))
    going_on = world.plan(observed(world, {Training(1): gone}))

    assert gangs(waiting) == []
    assert Training(2) in gangs(going_on)


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


def test_a_pod_that_its_kubelet_rejects_is_counted_and_backs_off() -> None:
    world = World(a_small_run(restartPolicy=POLICY), NEVER)
    world.reconcile()
    rejected = Pod(0, "a", Phase.FAILED, failure="OutOfcpu: Node didn't have enough resource: cpu")
    only = {Training(1): WorkloadState(Phase.FAILED, (rejected,))}

    decided = world.reconcile(replace(world.observed(), workloads=Known(only)))

    (attempt,) = world.journal.attempts
    assert (attempt.cause, attempt.counted) == (Cause.NOT_BEGUN, True)
    assert "OutOfcpu: Node didn't have enough resource: cpu" in attempt.message
    assert conditions(world.run)["Training"] == ("False", "BackingOff")
    assert conditions(world.run)["Degraded"] == ("True", "Restarting")
    assert decided.due_after_seconds == POLICY["backoffSeconds"]

    world.pass_time(POLICY["backoffSeconds"])
    world.reconcile()
    world.train()
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


def test_a_run_waits_for_keys_that_its_store_accepts_and_names_their_secret() -> None:
    world = a_training_world(
        restartPolicy=POLICY | {"maxRestarts": 0},
        checkpoints={"everyTokens": EVERY_TOKENS, "secretRef": {"name": "pods-keys"}},
    )
    for _ in range(6):
        world.end_training(ExitCode.STORE_REFUSED)
        world.reconcile()
        told = {c.type: c for c in world.run.status.conditions}
        assert told["Failed"].status == "False"
        assert told["Degraded"].reason == "Restarting"
        assert "accepts the keys in Secret pods-keys" in told["Degraded"].message
        world.pass_time(POLICY["maxBackoffSeconds"])
        world.reconcile()
        assert world.trainer is not None

    world.train()
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")
    assert not any(attempt.counted for attempt in world.journal.attempts)


def test_attempts_that_the_store_refuses_back_off_though_the_first_had_trained() -> None:
    world = a_training_world()
    for wait in (10, 20, 35):
        world.end_training(ExitCode.STORE_REFUSED)
        if wait == 10:
            world.pass_time(HEARD_SECONDS)
            assert gangs(world.reconcile()) == [Training(2)]
            world.end_training(ExitCode.STORE_REFUSED)
        world.reconcile()
        world.pass_time(wait - 1)
        assert gangs(world.reconcile()) == []
        world.pass_time(1)
        assert gangs(world.reconcile()) != []


SOME_IS_HERE = {"fetched": Fetched(size=1, total=2)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "told", [None, SOME_IS_HERE, {}], ids=["no process", "while it fetched", "while it loaded"]
)
def test_attempts_that_end_uncounted_before_they_begin_back_off_too(
    told: dict[str, Any] | None,
) -> None:
    world = World(a_small_run(restartPolicy=POLICY), NEVER)
    began = []
    for _ in range(80):
        world.reconcile()
        if world.trainer is not None:
            began.append(world.now)
            if told is not None:
                beat = heartbeat_of(len(began), 0, world.now, phase="Starting", **told)
                world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
            world.end_training(ExitCode.INTERNAL, disrupted=True)
        world.pass_time(5)

    waits = [(after - before).total_seconds() for before, after in pairwise(began)]
    longest = POLICY["maxBackoffSeconds"]
    assert waits[0] < POLICY["backoffSeconds"]
    assert all(wait >= longest for wait in waits[3:])
    assert len(began) < 20
    assert not any(attempt.counted for attempt in world.journal.attempts)
    assert conditions(world.run)["Degraded"] == ("True", "Restarting")
