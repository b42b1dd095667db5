"""What trainers saved is not trained again, and what is not lost is not missed."""

from dataclasses import replace
from typing import Any

import pytest
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    an_attached_run,
    applied_again,
    conditions,
    heartbeat_of,
    with_spec,
)

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.contract.quantities import TOKENS_MAX
from lccp.store.keys import TrainingKeys, writer_name
from lccp_operator.observed import Known, Observed
from lccp_operator.workloads.state import Phase
from lccp_operator.workloads.training import Training

OLDER, NEWER = 4_096, EVERY_TOKENS
ANNEALED_FROM = 2 * EVERY_TOKENS
ANNEALED = {"atTokens": [ANNEALED_FROM], "tokens": EVERY_TOKENS}


def a_world(**checkpoints: Any) -> World:
    return World(a_small_run(checkpoints={"everyTokens": EVERY_TOKENS, **checkpoints}), NEVER)


def tells(
    world: World, attempt: int, *states: int, pods: str = "", keys: TrainingKeys = KEYS, **more: Any
) -> None:
    """A trainer of the attempt tells of these states; `pods`: one of other pods than the first."""
    world.pass_time()
    beat = heartbeat_of(attempt, 0, world.now, **more)
    writer = writer_name(attempt, pods) if pods else beat.writer
    beat = beat.model_copy(update={"states": states, "writer": writer})
    world.store.put(keys.heartbeat(writer), beat.to_json())


def withdraws(
    world: World, attempt: int, *damaged: int, left: tuple[int, ...], **more: Any
) -> None:
    """A trainer of the attempt finds damaged states at its start. It says so first."""
    tells(world, attempt, *left, phase="Starting", **more)
    drop(world, *damaged)


def save(world: World, *tokens: int) -> None:
    for one in tokens:
        world.store.put(KEYS.state_manifest(one), b"{}")


def drop(world: World, *tokens: int) -> None:
    for one in tokens:
        world.store.delete(KEYS.state_manifest(one))


def drop_heartbeats(world: World, *attempts: int) -> None:
    for attempt in attempts:
        for info in world.store.list(f"{KEYS.trainings}a{attempt}-"):
            world.store.delete(info.key)
    world.restart_operator()


def goes_on(world: World) -> int:
    """All waits pass; the number of attempts then."""
    for _ in range(4):
        world.pass_time(700)
        world.reconcile()
    return len(world.journal.attempts)


def dies(world: World, code: int = 137) -> int:
    """The gang ends; the number of attempts after the waits."""
    world.reconcile()
    world.end_training(code)
    return goes_on(world)


def that_saved(world: World) -> World:
    """Its first attempt works, and has saved two states."""
    world.reconcile()
    save(world, OLDER, NEWER)
    tells(world, 1, OLDER, NEWER)
    world.reconcile()
    return world


def is_held(world: World) -> bool:
    return conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")


def misses(world: World, tokens: int) -> bool:
    """Nothing is started, since there is no such state."""
    told = f"no training state of {tokens:,} tokens of this run"
    return is_held(world) and told in world.events[-1].message


def pending(world: World) -> Observed:
    """No pod of any gang has begun."""
    seen = world.observed()
    assert isinstance(seen.workloads, Known)
    waits = {w: replace(s, phase=Phase.PENDING, pods=()) for w, s in seen.workloads.value.items()}
    return replace(seen, workloads=Known(waits))


def branching(world: World) -> Training:
    """The gang of its first branch, which has just begun."""
    while True:
        decided = world.reconcile()
        gang = world.trainer[0] if world.trainer else None
        if gang is not None and gang.branch is not None:
            return gang
        assert not decided.idle
        world.pass_time(decided.requeue_after_seconds or 1.0)
        world.train()
        world.evaluate()


def suspend(world: World, suspended: bool = True) -> None:
    world.run = with_spec(world.run, suspend=suspended)


def extend(world: World) -> None:
    training = world.run.document()["spec"]["training"] | {"tokens": 2 * BUDGET_TOKENS}
    world.run = with_spec(world.run, training=training)


# What was saved is missed ---------------------------------------------------------------------


def test_a_state_that_is_gone_as_an_attempt_ends_before_it_begins_is_missed() -> None:
    """That attempt has not looked for states: those of the attempt before it count on."""
    world = that_saved(a_world())
    assert dies(world) == 2
    drop(world, NEWER)
    suspend(world)
    world.reconcile(pending(world))
    world.workers.clear()
    assert world.journal.attempts[1].ended_at is not None

    suspend(world, False)
    assert goes_on(world) == 2

    assert misses(world, NEWER)
    save(world, NEWER)
    assert goes_on(world) == 3


def test_a_state_that_is_gone_before_an_end_is_seen_is_missed_without_heartbeats_too() -> None:
    world = that_saved(a_world())
    suspend(world)
    world.reconcile()
    drop(world, NEWER)
    world.end_training(137)
    world.reconcile()
    assert not is_held(world)
    drop_heartbeats(world, 1)

    suspend(world, False)
    assert goes_on(world) == 1

    assert misses(world, NEWER)


def test_a_state_is_missed_also_by_a_run_whose_failures_are_forgiven() -> None:
    world = that_saved(a_world())
    assert dies(world, ExitCode.CONFIGURATION) == 1
    assert conditions(world.run)["Failed"][0] == "True"
    drop(world, NEWER)

    for suspended in (True, False):
        suspend(world, suspended)
        assert goes_on(world) == 1

    assert misses(world, NEWER)
    again = applied_again(world)
    assert goes_on(again) == 2
    assert not is_held(again)


def test_a_state_is_missed_that_a_trainer_saved_after_its_attempts_end_was_noted() -> None:
    """It trained on where nobody saw it. Its heartbeat is newer than what the journal notes."""
    world = that_saved(a_world())
    suspend(world)
    assert dies(world) == 1
    tells(world, 1, OLDER, NEWER, NEWER + OLDER)

    suspend(world, False)
    assert goes_on(world) == 1

    assert misses(world, NEWER + OLDER)


@pytest.mark.parametrize("told_by", ["heartbeat", "end"])
def test_checkpoints_are_missed_that_no_status_tells_of_yet(told_by: str) -> None:
    """Without any there is no state, either, whatever `lostState` says of states."""
    world = a_world(lostState="Restart")
    world.reconcile()
    if told_by == "heartbeat":
        beat = heartbeat_of(1, NEWER, world.now).model_copy(update={"checkpoints": (NEWER,)})
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        world.end_training(137)
    else:
        assert world.trainer is not None
        world.trainer[1].tokens = NEWER
        world.end_training(ExitCode.OK, Cause.COMPLETED)

    assert goes_on(world) == 1

    assert misses(world, NEWER)


# What is not lost is not missed ---------------------------------------------------------------


def test_a_state_that_an_attempt_withdrew_before_it_died_is_not_missed() -> None:
    """Neither while heartbeats tell of it, nor afterwards."""
    world = that_saved(a_world())
    assert dies(world) == 2
    withdraws(world, 2, NEWER, left=(OLDER,))
    assert dies(world) == 3
    tells(world, 3, phase="Starting")
    world.reconcile()
    drop_heartbeats(world, 1, 2)

    assert dies(world) == 4
    assert [one.newest_state for one in world.journal.attempts[:3]] == [NEWER, OLDER, OLDER]


def test_nor_if_it_were_other_pods_of_the_attempt() -> None:
    """A queue took the first ones, and also those that had withdrawn it, away."""
    world = that_saved(a_world())
    withdraws(world, 1, NEWER, left=(OLDER,), pods="0000000f")
    world.reconcile()
    tells(world, 1, phase="Starting", pods="000000ff")
    assert dies(world) == 2
    assert not is_held(world)


def test_nor_a_state_that_was_deleted_for_newer_ones() -> None:
    world = that_saved(a_world())
    save(world, NEWER + OLDER)
    drop(world, OLDER, NEWER)
    assert dies(world) == 2
    assert world.journal.attempts[0].newest_state == NEWER + OLDER


def test_nor_anything_before_the_first_state() -> None:
    world = a_world()
    assert [dies(world), dies(world)] == [2, 3]
    assert world.journal.attempts[0].newest_state == 0


def test_nor_what_an_attempt_trained_without_as_it_was_told_to() -> None:
    """Before it has saved anything, `lostState` is set back; then its heartbeats are deleted."""
    world = that_saved(a_world(lostState="Restart"))
    drop(world, OLDER, NEWER)
    assert dies(world) == 2
    tells(world, 2, step=1)
    world.reconcile()

    world.run = with_spec(world.run, checkpoints={"everyTokens": EVERY_TOKENS})
    world.reconcile()
    assert not is_held(world)

    assert dies(world) == 3
    tells(world, 3, phase="Starting")
    world.reconcile()
    drop_heartbeats(world, 2)
    assert dies(world) == 4


def test_nor_the_states_of_a_branch() -> None:
    """They are newer than the run's own."""
    world = a_world(anneal=ANNEALED)
    gang = branching(world)
    tells(world, gang.attempt, 9 * BUDGET_TOKENS, keys=KEYS.branch(ANNEALED_FROM))
    assert dies(world) == gang.attempt + 1
    assert world.journal.attempts[-2].newest_state is None

    extend(world)
    world.settle()
    assert max(world.facts.checkpoints) == 2 * BUDGET_TOKENS


def test_nor_any_of_a_run_whose_budget_is_raised_once_it_has_completed() -> None:
    world = that_saved(a_world())
    world.settle()
    save(world, BUDGET_TOKENS)
    extend(world)
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_nor_any_of_an_attached_run() -> None:
    world = World(an_attached_run(), NEVER)
    world.reconcile()
    assert dies(world) == 2
    assert world.journal.attempts[0].newest_state is None


def test_nor_by_a_command_that_is_repeated() -> None:
    world = that_saved(a_world())
    world.end_training(137)
    for run in (world, applied_again(world)):
        run.reconcile(replace(run.observed(), by_command=True))
        assert (conditions(run.run)["Accepted"][0], is_held(run)) == ("True", False)


def test_nor_after_an_upgrade_from_a_version_that_noted_nothing() -> None:
    world = that_saved(a_world())
    assert dies(world) == 2
    first, second = world.journal.attempts
    attempts = (first.model_copy(update={"newest_state": None}), second)
    journal = world.journal.model_copy(update={"attempts": attempts})
    world.store.put(KEYS.journal, journal.to_json())
    assert dies(world) == 3
    assert world.journal.attempts[1].newest_state == NEWER


def test_nor_by_a_run_object_from_before_a_state_was_withdrawn() -> None:
    """Its cluster was restored from a snapshot; its store was not."""
    world = that_saved(a_world())
    before = world.run
    assert dies(world) == 2
    withdraws(world, 2, NEWER, left=(OLDER,))
    assert dies(world) == 3
    restored = World(before, NEVER, world.store, now=world.now)
    goes_on(restored)
    assert not is_held(restored)


@pytest.mark.parametrize("journal", [True, False], ids=["an older journal", "no journal"])
def test_nor_by_a_run_that_is_applied_again_whatever_attempts_its_journal_lost(
    journal: bool,
) -> None:
    """Heartbeats tell of those and of their states, of which none is left."""
    world = that_saved(a_world())
    older = world.store.get(KEYS.journal)
    tells(world, 3, OLDER, NEWER, 3 * EVERY_TOKENS)
    world.workers.clear()
    world.store.put(KEYS.journal, older)
    if not journal:
        world.store.delete(KEYS.journal)
    drop(world, OLDER, NEWER)
    again = applied_again(world)
    again.reconcile()

    assert again.journal.attempts[-1].number == 4
    dies(again)
    assert again.journal.attempts[-1].number == 5


def test_a_heartbeat_that_claims_too_much_is_no_fault() -> None:
    world = that_saved(a_world())
    tells(world, 1, 10**18)
    suspend(world)
    world.reconcile()
    world.end_training(137)
    world.reconcile()
    assert world.journal.attempts[0].newest_state == TOKENS_MAX
