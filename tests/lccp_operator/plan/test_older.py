"""An older copy that was put back in place of a run's objects is not trained on from."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    MemoryStore,
    Worker,
    World,
    a_small_run,
    begun,
    conditions,
    heartbeat_of,
    with_spec,
)

from lccp.api.run import LCCPRun
from lccp_operator.intents import DeleteWorkload, Plan, WriteConditions
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import Phase
from lccp_operator.workloads.training import Training


def beats(world: World, tokens: int, **more: Any) -> None:
    """The first attempt's trainer tells how far it is, two seconds later."""
    world.now += timedelta(seconds=2)
    beat = heartbeat_of(1, tokens, world.now, **more)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())


def copied(world: World) -> MemoryStore:
    """A copy of the store, since which the first attempt trains on."""
    beats(world, EVERY_TOKENS)
    world.reconcile()
    copy = deepcopy(world.store)
    beats(world, EVERY_TOKENS + 4_096)
    world.reconcile()
    return copy


def put_back(world: World, copy: MemoryStore) -> None:
    world.store.objects = deepcopy(copy.objects)
    world.store.version += 100


def deleted(decided: Plan) -> list[Any]:
    others = [one for one in decided.intents if not isinstance(one, WriteConditions)]
    assert all(isinstance(one, DeleteWorkload) for one in others), others
    return [one.workload for one in others if isinstance(one, DeleteWorkload)]


def held(world: World) -> bool:
    return conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")


def test_a_copy_that_comes_back_as_the_trainer_dies_is_not_trained_on_from() -> None:
    """The attempt is open in the copy as it is in the status. The next operator knows it, too."""
    world = begun(World(a_small_run(), NEVER))
    copy = copied(world)
    right = deepcopy(world.store)
    told = f"no heartbeat of this run from {world.now:%Y-%m-%d %H:%M:%S} UTC (an older copy) any"

    world.end_training(137)
    put_back(world, copy)

    assert deleted(world.reconcile()) == []
    assert held(world)
    assert told in world.events[-1].message
    world.restart_operator()
    assert deleted(world.reconcile()) == []
    assert held(world)
    put_back(world, right)
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_nor_if_the_gangs_job_and_the_status_are_gone_too() -> None:
    """Then only the operator remembers that it had heard more, and tells the next one."""
    world = begun(World(a_small_run(), NEVER))
    copy = copied(world)

    world.workers.clear()
    put_back(world, copy)
    world.run = world.run.model_copy(update={"status": None})

    assert deleted(world.reconcile()) == []
    assert held(world)
    world.restart_operator()
    assert deleted(world.reconcile()) == []
    assert held(world)


@pytest.mark.parametrize("restarted", [True, False])
def test_nor_if_the_copy_is_read_before_the_trainers_end_is_seen(restarted: bool) -> None:
    """Its kubelet reports that a second later, or a quarter of an hour."""
    world = begun(World(a_small_run(), NEVER))
    copy = copied(world)
    world.pass_time(100)
    beats(world, EVERY_TOKENS + 4_096)
    world.reconcile()

    put_back(world, copy)
    for _ in range(2):
        world.reconcile()
        world.pass_time(15)
    assert not held(world)
    if restarted:
        world.restart_operator()
    world.end_training(137)

    assert deleted(world.reconcile()) == []
    assert held(world)


def of_the_status(world: World) -> None:
    """Another process leads by now."""
    world.restart_operator()


def of_memory(world: World) -> None:
    """The status was emptied."""
    world.run = world.run.model_copy(update={"status": None})


@pytest.mark.parametrize("known", [of_the_status, of_memory])
@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.PENDING])
def test_nor_does_a_gang_begin_from_it_that_a_queue_took_the_pods_from(
    phase: Phase, known: Callable[[World], None]
) -> None:
    world = begun(World(a_small_run(), NEVER))
    copy = copied(world)
    world.pass_time(100)
    beats(world, EVERY_TOKENS + 4_096)
    world.reconcile()
    world.workers[Training(1)] = Worker(phase, uid="00000099")
    world.reconcile()
    right = deepcopy(world.store)

    put_back(world, copy)
    known(world)

    assert deleted(world.reconcile()) == [Training(1)]
    assert held(world)
    world.pass_time()
    assert deleted(world.reconcile()) == []
    put_back(world, right)
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_an_attempt_that_only_its_gang_told_of_is_missed_once_the_gang_is_gone() -> None:
    """The copy came before the status told of the attempt, which the hold itself took away."""
    world = begun(World(a_small_run(), NEVER))
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    copy, status = deepcopy(world.store), world.run.status
    world.run = with_spec(world.run, suspend=False)
    world.reconcile()
    world.workers[Training(2)].phase = Phase.PENDING
    right = deepcopy(world.store)
    world.run = world.run.model_copy(update={"status": status})

    put_back(world, copy)
    assert deleted(world.reconcile()) == [Training(2)]
    for _ in range(2):
        world.pass_time()
        world.restart_operator()
        assert deleted(world.reconcile()) == []
        assert held(world)

    put_back(world, right)
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_newest_state_that_vanished_is_missed_before_a_pending_gang_begins() -> None:
    world = begun(World(a_small_run(), NEVER))
    beats(world, EVERY_TOKENS, states=(EVERY_TOKENS,))
    world.store.put(KEYS.state_manifest(EVERY_TOKENS), b"{}")
    world.workers[Training(1)] = Worker(Phase.PENDING, uid="00000099")
    assert deleted(world.reconcile()) == []
    world.store.delete(KEYS.state_manifest(EVERY_TOKENS))

    assert deleted(world.reconcile()) == [Training(1)]
    assert held(world)


def test_a_trainer_whose_clock_is_set_back_is_followed_as_it_goes_on() -> None:
    world = begun(World(a_small_run(), NEVER))
    copied(world)
    for _ in range(3):
        world.now -= timedelta(hours=1)
        beats(world, EVERY_TOKENS + 4_096)
        world.now += timedelta(hours=1)
        world.reconcile()
    world.end_training(137)

    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def evaluated(world: World) -> MemoryStore:
    """A copy of the store, since which the first checkpoint was evaluated."""
    copy = deepcopy(world.store)
    world.reconcile()
    world.evaluate()
    world.reconcile()
    world.pass_time()
    assert world.run.status is not None
    assert world.run.status.checkpoints[0].evaluation == "Succeeded"
    return copy


@pytest.mark.parametrize("trains", [True, False])
def test_no_evaluation_is_repeated_for_a_copy_from_before_it(trains: bool) -> None:
    world = begun(World(a_small_run(), NEVER))
    copy = evaluated(world)
    begun_before = list(world.started)
    put_back(world, copy)
    if not trains:
        world.end_training(137)

    for _ in range(3):
        assert deleted(world.reconcile()) == []

    assert held(world)
    told = (
        f"no journal.json of this run with the outcome at {EVERY_TOKENS:,} tokens (it is an older"
    )
    assert told in world.events[-1].message
    assert world.started == begun_before


def test_an_evaluation_that_is_asked_for_again_is_not_missed() -> None:
    """The status still tells of it when the operator dies after it wrote the journal."""
    world = begun(World(a_small_run(), NEVER))
    evaluated(world)
    before = world.run
    world.reevaluate = f"{EVERY_TOKENS}"
    world.steps_before_crash = 2
    while world.journal.evaluations:
        world.reconcile()
    world.run = before

    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert [w for w in world.started if w == Evaluation(EVERY_TOKENS)] == [
        Evaluation(EVERY_TOKENS)
    ] * 2


def with_status(run: LCCPRun, **changed: Any) -> LCCPRun:
    assert run.status is not None
    return run.model_copy(update={"status": run.status.model_copy(update=changed)})


def test_what_somebody_else_wrote_into_the_status_holds_no_run() -> None:
    """As long as it is known, or obvious."""
    world = begun(World(a_small_run(), NEVER))
    copied(world)
    world.workers[Training(1)].phase = Phase.PENDING
    assert world.run.status is not None
    for of_another, later in ((True, 1), (False, 3_600)):
        told = world.now + timedelta(seconds=later)
        progress = world.run.status.progress.model_copy(update={"last_heartbeat_time": told})
        world.run = with_status(world.run, progress=progress)
        world.reconcile(replace(world.observed(), status_is_own=not of_another))
        assert not held(world)


def test_what_nobody_saw_somebody_else_write_is_undone_as_the_message_says() -> None:
    world = World(a_small_run(), NEVER)
    world.reconcile()
    world.workers[Training(1)].phase = Phase.PENDING
    assert world.run.status is not None
    forged = world.run.status.progress.model_copy(update={"last_heartbeat_time": world.now})
    world.run = with_status(world.run, progress=forged)
    world.reconcile()
    assert held(world)
    assert "somebody edited the status, from which to remove progress." in world.events[-1].message

    removed = forged.model_copy(update={"last_heartbeat_time": None})
    world.run = with_status(world.run, progress=removed)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_an_end_that_somebody_else_wrote_into_the_status_holds_no_run() -> None:
    world = begun(World(a_small_run(), NEVER))
    assert world.run.status is not None
    (attempt,) = world.run.status.attempts
    ended = attempt.model_copy(update={"ended_at": world.now})
    world.run = with_status(world.run, attempts=(ended,))
    world.end_training(137)

    world.reconcile(replace(world.observed(), status_is_own=False))

    assert not held(world)
    assert world.journal.attempts[0].ended_at == world.now


def test_an_unreadable_heartbeat_is_no_older_copy() -> None:
    world = begun(World(a_small_run(), NEVER))
    copied(world)
    world.store.put(KEYS.heartbeat("a1-00000001"), b"{")
    world.end_training(137)

    world.reconcile()

    assert not held(world)


@pytest.mark.parametrize("pending", [True, False])
def test_what_is_deleted_after_an_attempt_has_ended_is_not_missed(pending: bool) -> None:
    """As by a rule of the bucket, while the run is suspended, or queued: no state is lost."""
    world = begun(World(a_small_run(), NEVER))
    copied(world)
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    world.pass_time(60)
    world.run = with_spec(world.run, suspend=False)
    if pending:
        world.reconcile()
        world.workers[Training(2)].phase = Phase.PENDING
    world.store.delete(KEYS.heartbeat("a1-00000001"))
    world.restart_operator()
    world.reconcile()
    assert not held(world)

    if pending:
        world.workers[Training(2)].phase = Phase.RUNNING
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
