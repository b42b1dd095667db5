"""Attempts are recorded: one at a time, each ended before the next begins."""

from dataclasses import replace

import pytest
from attempted_world import (
    POLICY,
    a_training_world,
    a_world,
    gangs,
    observed,
    observed_gang,
    training,
)
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    applied_again,
    conditions,
    heartbeat_of,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.training import Ledger
from lccp_operator.intents import (
    DeleteWorkload,
)
from lccp_operator.plan.attempts.waits import HEARD_SECONDS
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training


def test_the_first_attempt_is_journalled_with_its_workload() -> None:
    world = a_world()

    decided = world.reconcile()

    assert gangs(decided) == [Training(1)]
    assert [a.number for a in world.journal.attempts] == [1]


def test_an_attempt_that_disappeared_after_a_heartbeat_is_lost_and_replaced_uncounted() -> None:
    world = a_training_world()
    world.workers.clear()
    world.pass_time(HEARD_SECONDS)

    decided = world.reconcile()

    lost, current = world.journal.attempts
    assert (lost.cause, lost.counted) == (Cause.LOST, False)
    assert (current.number, gangs(decided)) == (2, [Training(2)])


def test_a_gang_that_had_met_and_disappeared_is_told_to_drain_before_the_next_one() -> None:
    """Its pods may go on to load the model where nobody sees them, and then train."""
    world = a_world()
    world.reconcile()
    pods = Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.RUNNING)
    world.reconcile(observed_gang(world, *pods))
    world.workers.clear()

    decided = world.reconcile()

    lost, current = world.journal.attempts
    assert (lost.cause, lost.counted) == (Cause.LOST, False)
    assert (current.number, gangs(decided)) == (2, [Training(2)])
    assert Control.from_json(world.store.get(KEYS.control(1)), "control").request == "Drain"


def test_no_attempt_begins_in_a_namespace_that_is_being_deleted() -> None:
    world = a_training_world()
    world.workers.clear()
    world.pass_time(HEARD_SECONDS)

    for _ in range(2):
        decided = world.reconcile(replace(world.observed(), namespace_terminating=True))

    (lost,) = world.journal.attempts
    assert (lost.cause, gangs(decided)) == (Cause.LOST, [])
    assert training(world) == ("False", "Pending")
    assert world.run.status is not None
    assert "namespace is being deleted" in str(world.run.status.conditions)
    assert gangs(world.reconcile()) == [Training(2)]


def test_an_ended_attempt_says_where_its_time_went() -> None:
    world = a_training_world()
    began = world.journal.attempts[0].started_at
    world.pass_time(30)
    ledger = Ledger(starting=4, productive=21)
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, ledger=ledger, unsaved_seconds=5)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    assert world.reconcile().status.attempts[0].seconds == {}
    world.pass_time(60)
    world.workers.clear()

    decided = world.reconcile()

    wall = (world.now - began).total_seconds()
    (lost, _), (shown, _) = world.journal.attempts, decided.status.attempts
    parts = {"queued": wall - 85, "starting": 4, "productive": 16, "lost": 5, "hanging": 60}
    assert lost.seconds == shown.seconds == parts
    assert sum(parts.values()) == wall


def test_the_time_of_an_ended_attempt_is_written_once() -> None:
    world = a_training_world()
    world.end_training(ExitCode.CONFIGURATION)
    world.reconcile()
    written, writes = world.store.get(KEYS.journal), world.status_writes
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, ledger=Ledger(productive=9.0))
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.pass_time(5)
    world.reconcile()

    assert world.store.get(KEYS.journal) == written
    assert world.status_writes == writes


def test_a_clock_that_was_set_back_damages_no_journal() -> None:
    world = a_training_world()
    ledger = Ledger(starting=-3_600, productive=21)
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, ledger=ledger)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.workers.clear()
    world.reconcile()

    read = Journal.from_json(world.store.get(KEYS.journal), "journal")
    assert read.attempts[0].seconds["productive"] == 21


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


def test_a_gang_that_had_not_begun_is_deleted_instead_of_drained() -> None:
    world = a_world()
    world.reconcile()
    world.run = with_spec(world.run, suspend=True)
    pending = WorkloadState(Phase.QUEUED)

    decided = world.reconcile(observed(world, {Training(1): pending}))

    assert DeleteWorkload(Training(1)) in decided.intents
    assert world.journal.attempts[0].cause is Cause.DRAINED


@pytest.mark.slow
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
    before = a_training_world()
    before.store.delete(KEYS.journal)
    world = applied_again(before)

    world.settle()

    assert [a.number for a in world.journal.attempts] == [2]
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
