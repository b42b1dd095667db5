"""Deletion: what a run still needs before it is removed."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from operator_world import KEYS, NEVER, START, World, a_small_run, started, unknown

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Pinned
from lccp_operator.intents import (
    DeleteRun,
    DeleteWorkload,
    SetFinalizer,
    WriteConditions,
)
from lccp_operator.observed import Known, Owner, Unknown
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training

KEPT = {"deletionPolicy": "DeleteArtifacts"}


def a_deleted_world(**spec: Any) -> World:
    """A run that trained when its deletion was asked for."""
    world = World(a_small_run(**spec), NEVER)
    world.reconcile()
    world.train()
    world.reconcile()
    metadata = world.run.metadata.model_copy(update={"deletion_timestamp": world.now})
    world.run = world.run.model_copy(update={"metadata": metadata})
    return world


def training(world: World) -> Condition:
    assert world.run.status is not None
    return next(c for c in world.run.status.conditions if c.type is ConditionType.TRAINING)


def purge(world: World) -> Any:
    return world.workers.get(Purge())


def test_there_is_a_finalizer_only_where_artifacts_are_deleted() -> None:
    plain, kept = World(a_small_run(), NEVER), World(a_small_run(**KEPT), NEVER)
    plain.reconcile()
    kept.reconcile()

    assert (plain.finalizer, kept.finalizer) == (False, True)


def test_the_finalizer_is_there_before_the_first_workload() -> None:
    world = World(a_small_run(**KEPT), NEVER)
    world.steps_before_crash = 1
    world.reconcile()

    assert (world.finalizer, world.workers, world.store.objects) == (True, {}, {})


def test_a_run_that_retains_its_artifacts_just_goes() -> None:
    world = a_deleted_world()
    before = dict(world.store.objects)

    decided = world.reconcile()

    assert (decided.intents, decided.idle) == ((), True)
    assert world.store.objects == before


def test_a_run_whose_object_others_keep_ends_its_workloads_and_says_so() -> None:
    world = a_deleted_world()
    world.held_by = ("example.org/audit",)

    assert set(world.reconcile().intents) == set(map(DeleteWorkload, world.workers))

    assert training(world).reason is Reason.DELETING
    assert "remove them: example.org/audit" in training(world).message
    world.pass_time()
    assert (world.workers, world.reconcile().idle) == ({}, True)


def test_what_keeps_workloads_of_a_deleted_run_that_another_program_keeps_is_told() -> None:
    world = a_deleted_world()
    world.held_by = ("example.org/audit",)

    decided = world.reconcile(replace(world.observed(), workloads=unknown("somebody changed it")))

    assert (decided.intents, decided.idle) == ((), False)
    assert "its workloads with it (not yet: somebody changed it); " in training(world).message


def test_the_gang_is_gone_before_the_purge_and_the_purge_before_the_finalizer() -> None:
    world = a_deleted_world(**KEPT)
    assert DeleteWorkload(Training(1)) in world.reconcile().intents
    assert purge(world) is None

    world.pass_time()
    world.reconcile()
    assert purge(world) is not None
    world.reconcile()
    assert world.finalizer

    purge(world).phase = Phase.SUCCEEDED
    world.store.objects.clear()
    world.reconcile()
    assert not world.finalizer
    assert world.events[-1].reason.value == "ArtifactsPurged"


def test_a_job_that_another_program_keeps_is_named_while_the_purge_waits_for_it() -> None:
    world = a_deleted_world(**KEPT)
    kept = Trouble(Reason.HELD_BACK, "Job tiny-train-a1 is kept by x/y")
    state = WorkloadState(Phase.PENDING, deleting=True, trouble=kept)

    decided = world.reconcile(replace(world.observed(), workloads=Known({Training(1): state})))

    assert started(decided) == []
    assert "is blocked: Job tiny-train-a1 is kept by x/y: fix" in training(world).message


def test_a_run_that_is_being_deleted_does_not_say_that_it_is_evaluated() -> None:
    world = a_deleted_world(**KEPT)
    world.reconcile()

    assert world.run.status is not None
    told = {c.type: (c.status, c.reason) for c in world.run.status.conditions}
    assert told[ConditionType.EVALUATING] == ("False", Reason.PURGING)


def test_a_failed_purge_is_tried_again() -> None:
    world = a_deleted_world(**KEPT)
    world.reconcile()
    world.pass_time()
    world.reconcile()
    worker = purge(world)
    worker.phase, worker.exit_code = Phase.FAILED, ExitCode.STORE_UNREACHABLE

    assert world.reconcile().intents == (DeleteWorkload(Purge()),)
    world.pass_time()
    assert started(world.reconcile()) == [Purge()]


def test_the_store_is_told_until_a_purge_may_be_at_work() -> None:
    world = a_deleted_world(**KEPT)
    world.reconcile()
    told = json.loads(world.store.get(KEYS.conditions))["conditions"]
    assert "Purging" in [condition["reason"] for condition in told]
    without_quota = replace(world.observed(), rejected={Purge(): NO_QUOTA}, workloads=Known({}))
    assert isinstance(world.plan(without_quota).intents[-1], WriteConditions)

    waits = replace(without_quota, workloads=Known({Purge(): WAITS}))
    assert world.plan(waits).intents == ()


def test_a_purge_that_takes_too_long_lets_go_with_an_event() -> None:
    world = a_deleted_world(**KEPT, purgeTimeoutSeconds=60)
    world.reconcile()
    world.pass_time(61)

    world.reconcile()

    assert not world.finalizer
    assert world.events[-1].reason.value == "PurgeGivenUp"
    assert "default/tiny/" in world.events[-1].message
    assert world.run.metadata.deletion_timestamp is not None
    assert world.events[-1].at == world.run.metadata.deletion_timestamp + timedelta(seconds=60)


NO_QUOTA = Trouble(Reason.QUOTA_EXCEEDED, "exceeded quota: small")
WAITS = WorkloadState(Phase.PENDING, trouble=NO_QUOTA)

FAILING = WorkloadState(
    Phase.RUNNING,
    (
        Pod(0, "a", Phase.FAILED, exit_code=64, message="no bucket"),
        Pod(0, "b", Phase.RUNNING),
    ),
    log="kubectl logs job/tiny-purge",
)


@pytest.mark.parametrize(
    ("workloads", "rejected", "told"),
    [
        ({}, {Purge(): NO_QUOTA}, "exceeded quota: small: fix that"),
        ({Purge(): WAITS}, {}, "exceeded quota: small: fix that"),
        (
            {Purge(): WorkloadState(Phase.FAILED, (Pod(0, "a", Phase.FAILED, exit_code=69),))},
            {},
            "could not reach the store (exit code 69), and it is retried: fix that",
        ),
        ({Purge(): FAILING}, {}, "no bucket (exit code 64), and it is retried: fix that"),
    ],
)
def test_what_holds_up_a_purge_is_told_with_what_lets_the_run_go(
    workloads: Any, rejected: Any, told: str
) -> None:
    world = a_deleted_world(**KEPT)
    seen = replace(world.observed(), workloads=Known(workloads), rejected=rejected)

    status = world.plan(seen).status

    (training,) = [c for c in status.conditions if c.type is ConditionType.TRAINING]
    assert training.reason is Reason.PURGING
    assert f"the purge of its objects is blocked: {told}" in training.message
    assert "set deletionPolicy to Retain" in training.message


def test_a_terminating_namespace_lets_go_at_once() -> None:
    world = a_deleted_world(**KEPT)

    decided = world.reconcile(replace(world.observed(), namespace_terminating=True))

    assert decided.intents == (SetFinalizer(False),)


def test_workloads_that_are_unknown_are_not_purged_beside() -> None:
    world = a_deleted_world(**KEPT)

    decided = world.reconcile(replace(world.observed(), workloads=unknown("job/x has no owner")))

    assert decided.intents == ()
    assert "blocked: job/x has no owner" in training(world).message


def test_why_a_purge_failed_is_told_until_it_succeeds() -> None:
    world = a_deleted_world(**KEPT)
    world.workers.clear()
    for state in (FAILING, WorkloadState(Phase.RUNNING), WorkloadState(Phase.PENDING)):
        world.reconcile(replace(world.observed(), workloads=Known({Purge(): state})))
        assert "no bucket" in training(world).message


def test_a_store_that_does_not_answer_holds_up_the_purge_and_no_deletion_before_it() -> None:
    """Whatever answers by the time that a purge works there may hold nothing of the run."""
    world = a_deleted_world(**KEPT)
    assert world.run.status is not None
    claimed = world.run.status.model_copy(update={"installation": "lccp/lccp@11111111"})
    world.run = world.run.model_copy(update={"status": claimed})
    world.owner = Owner("lccp/lccp@11111111")

    silent = replace(world.observed(), store=unknown("there is no such bucket"))
    assert DeleteWorkload(Training(1)) in world.reconcile(silent).intents
    world.workers.clear()
    assert world.reconcile(replace(silent, workloads=Known({}))).intents == ()

    assert world.finalizer
    assert "blocked: there is no such bucket: fix that" in training(world).message


def test_a_purge_names_the_installation_whose_run_it_is() -> None:
    world = a_deleted_world(**KEPT)
    assert world.run.status is not None
    claimed = world.run.status.model_copy(update={"installation": "lccp/lccp@11111111"})
    run = world.run.model_copy(update={"status": claimed})

    own = Purge().pods(run, Pinned()).command[-2:]

    assert own == ("lccp_operator.purge", "lccp/lccp@11111111")


def test_a_store_with_nothing_of_a_run_that_had_begun_is_not_taken_for_purged() -> None:
    world = a_deleted_world(**KEPT)
    world.workers.clear()
    elsewhere = dict(world.store.objects)
    world.store.objects.clear()

    assert world.reconcile().intents == ()

    assert world.finalizer
    assert "blocked: store default holds nothing of this run" in training(world).message
    world.store.objects |= elsewhere
    assert started(world.reconcile()) == [Purge()]


def test_a_purge_that_ended_elsewhere_releases_nothing_and_is_made_again() -> None:
    world = a_deleted_world(**KEPT)
    purged = WorkloadState(Phase.SUCCEEDED, started_at=world.now)
    there = replace(world.observed(), workloads=Known({Purge(): purged}))

    assert world.reconcile(there).intents == ()
    assert world.finalizer
    assert "blocked: a purge ended, and store default still holds" in training(world).message

    world.now += timedelta(seconds=31)
    assert world.reconcile(there).intents == (DeleteWorkload(Purge()),)


def test_a_purge_after_which_the_store_cannot_be_read_releases_nothing_yet() -> None:
    world = a_deleted_world(**KEPT)
    ended = Known({Purge(): WorkloadState(Phase.SUCCEEDED, started_at=world.now)})

    unread = replace(world.observed(), workloads=ended, store=unknown("it does not answer"))
    assert world.reconcile(unread).intents == ()

    assert world.finalizer
    assert "what it left is unknown: it does not answer" in training(world).message
    world.store.objects.clear()
    world.reconcile(replace(world.observed(), workloads=ended))
    assert not world.finalizer


def test_what_another_run_object_of_this_name_left_elsewhere_is_not_purged() -> None:
    world = a_deleted_world(**KEPT)
    world.workers.clear()
    own = dict(world.store.objects)
    other = World(a_small_run("run-9"), NEVER, now=START - timedelta(days=1))
    other.settle()
    world.store.objects = dict(other.store.objects)

    assert started(world.reconcile()) == []

    assert "holds the journal.json of another run object" in training(world).message
    world.store.objects = own
    assert started(world.reconcile()) == [Purge()]


def test_a_run_that_never_began_is_purged_though_nothing_of_it_is_there() -> None:
    world = a_deleted_world(**KEPT)
    world.workers.clear()
    world.store.objects.clear()
    world.run = world.run.model_copy(update={"status": None})

    assert started(world.reconcile()) == [Purge()]


def test_a_damaged_object_that_may_be_anothers_holds_up_the_purge() -> None:
    world = a_deleted_world(**KEPT)
    world.workers.clear()
    damaged = Unknown(START, "run.json: is no JSON", Reason.STORED_OBJECT_DAMAGED)

    decided = world.reconcile(replace(world.observed(), store=damaged))

    assert decided.intents == ()
    (training,) = [c for c in decided.status.conditions if c.type is ConditionType.TRAINING]
    assert "blocked: run.json: is no JSON" in training.message


def test_nothing_is_started_for_a_run_that_is_being_deleted() -> None:
    world = a_deleted_world(**KEPT)
    world.workers.clear()

    assert started(world.reconcile()) == [Purge()]


def test_a_finished_run_is_deleted_when_its_time_to_live_is_over() -> None:
    world = World(a_small_run(ttlSecondsAfterFinished=100), NEVER)
    decided = world.settle()
    assert decided.requeue_after_seconds is not None
    assert 0 < decided.requeue_after_seconds <= 100

    world.now += timedelta(seconds=101)

    assert world.reconcile().intents == (DeleteRun(),)
    assert world.deleted


def test_a_run_that_goes_on_is_not_deleted() -> None:
    world = World(a_small_run(ttlSecondsAfterFinished=0), NEVER)
    world.reconcile()
    world.now = START + timedelta(days=1)
    world.reconcile()

    assert not world.deleted
