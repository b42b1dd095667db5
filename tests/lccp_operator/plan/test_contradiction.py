"""A store without the objects that the run's status reports starts nothing."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    applied_again,
    begun,
    conditions,
    heartbeat_of,
    saturating_at,
    with_spec,
    with_uid,
)

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.run import LCCPRun
from lccp_operator.intents import Plan, WriteConditions


def a_world(**spec: Any) -> World:
    return World(a_small_run(**spec), NEVER)


def test_a_finished_run_whose_prefix_is_not_found_is_never_trained_again() -> None:
    first = a_world()
    first.settle()
    before = first.run.status
    world = World(first.run, NEVER, now=first.now)

    for _ in range(3):
        decided = world.reconcile()

    assert decided.intents == ()
    assert world.started == []
    assert world.store.objects == {}
    assert before is not None
    assert world.run.status is not None
    left_out = {"conditions", "observed_generation"}
    assert world.run.status.model_dump(exclude=left_out) == before.model_dump(exclude=left_out)
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")
    assert [event.reason.value for event in world.events] == ["Refused"]
    assert "correct the store's url" in world.events[0].message


def test_a_run_goes_on_once_its_prefix_is_found_again() -> None:
    first = a_world()
    first.reconcile()
    first.train()
    first.reconcile()
    elsewhere = World(first.run, NEVER, now=first.now)
    elsewhere.reconcile()
    assert conditions(elsewhere.run)["Degraded"] == ("True", "StoredRunMissing")

    first.run = elsewhere.run
    first.settle()

    assert conditions(first.run)["Succeeded"] == ("True", "Completed")
    assert conditions(first.run)["Degraded"] == ("False", "Healthy")


def only_tells(decided: Plan) -> bool:
    """Nothing but what is said of the run is written."""
    return all(isinstance(intent, WriteConditions) for intent in decided.intents)


def lose(world: World, part: str) -> None:
    """The store loses what lies there of the run."""
    for key in [key for key in world.store.objects if key.startswith(f"{KEYS.prefix}{part}")]:
        world.store.delete(key)
    world.restart_operator()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["checkpoints/", "run.json", "journal.json", ""])
def test_an_emptied_prefix_starts_nothing(part: str) -> None:
    world = a_world()
    world.settle()
    begun = len(world.started)
    lose(world, part)

    assert only_tells(world.reconcile())

    assert len(world.started) == begun
    assert conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")


@pytest.mark.parametrize("told", [True, False])
def test_the_journal_of_another_run_object_is_not_followed(told: bool) -> None:
    other = World(a_small_run("run-9"), saturating_at(2 * EVERY_TOKENS))
    other.settle()
    world = a_world()
    world.pass_time(60)
    begun(world)
    own = world.store.get(KEYS.journal)
    world.store.put(KEYS.journal, other.store.get(KEYS.journal))
    if not told:
        world.run = world.run.model_copy(update={"status": None})

    assert only_tells(world.reconcile())

    assert conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")
    assert "the one there is that of another run object" in world.events[-1].message
    world.store.put(KEYS.journal, own)
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_run_object_that_was_restored_with_its_status_is_trained_on() -> None:
    world = begun(a_world())
    world.end_training(137)
    restored = World(with_uid(world.run, "run-2"), NEVER, world.store, now=world.now)

    restored.settle()

    assert conditions(restored.run)["Succeeded"] == ("True", "Completed")


def test_a_run_object_from_before_it_was_applied_again_is_trained_on() -> None:
    """Its cluster was restored from a snapshot; its store was not."""
    world = begun(a_world())
    again = applied_again(world)
    again.pass_time(60)
    again.reconcile()
    restored = World(world.run, NEVER, world.store, now=again.now)

    restored.settle()

    assert conditions(restored.run)["Succeeded"] == ("True", "Completed")


@pytest.mark.slow
@pytest.mark.parametrize("part", ["run.json", "journal.json", ""])
def test_nor_does_it_where_workloads_alone_still_tell_of_the_run(part: str) -> None:
    world = a_world()
    world.settle()
    begun = len(world.started)
    lose(world, part)
    world.run = world.run.model_copy(update={"status": None})

    for _ in range(2):
        assert only_tells(world.reconcile())

    assert len(world.started) == begun
    assert conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")


def test_nor_does_it_where_the_operator_alone_still_knows_that_the_run_began() -> None:
    """The status was emptied while the run was held; its pods had never begun."""
    world = begun(a_world())
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    world.workers.clear()
    lose(world, "")
    world.reconcile()
    world.run = with_spec(world.run, suspend=False).model_copy(update={"status": None})

    for _ in range(2):
        assert only_tells(world.reconcile())

    assert conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")


def test_a_copy_that_lacks_the_attempt_of_a_gang_starts_none() -> None:
    world = a_world()
    world.reconcile()
    copy = deepcopy(world.store)
    world.end_training(137)
    world.pass_time(700)
    world.settle()
    world.run = world.run.model_copy(update={"status": None})
    world.store.objects = copy.objects
    world.restart_operator()

    assert only_tells(world.reconcile())
    assert "no attempt 2 of this run (its newest is 1)" in world.events[-1].message


def test_an_older_copy_of_the_store_is_not_trained_on_from() -> None:
    world = a_world()
    world.reconcile()
    world.train()
    copy = deepcopy(world.store)
    world.settle()
    reached = max(world.facts.checkpoints)
    restored = World(world.run, NEVER, copy, now=world.now)

    assert only_tells(restored.reconcile())

    assert conditions(restored.run)["Degraded"] == ("True", "StoredRunMissing")
    told = f"no checkpoint of {reached:,} tokens of this run (its newest is of {EVERY_TOKENS:,})"
    assert told in restored.events[0].message


def test_a_copy_that_lacks_an_attempt_starts_none() -> None:
    world = a_world()
    world.reconcile()
    copy = deepcopy(world.store)
    world.end_training(137)
    world.reconcile()
    world.pass_time(700)
    world.reconcile()
    assert len(world.journal.attempts) == 2
    restored = World(world.run, NEVER, copy, now=world.now)

    assert only_tells(restored.reconcile())
    assert "no attempt 2 of this run (its newest is 1)" in restored.events[0].message


def a_world_that_saved_a_state(**spec: Any) -> World:
    """Its trainer's heartbeat tells of a state, before the first checkpoint; it is not there."""
    world = a_world(**spec)
    world.reconcile()
    beat = heartbeat_of(1, 4_096, world.now).model_copy(update={"states": (4_096,)})
    world.store.put(KEYS.heartbeat("a1-00000001"), beat.to_json())
    return world


def test_training_states_that_vanished_before_the_first_checkpoint_are_missed() -> None:
    world = a_world_that_saved_a_state()
    world.workers.clear()

    assert only_tells(world.reconcile())
    assert conditions(world.run)["Degraded"] == ("True", "StoredRunMissing")
    assert "no training state of 4,096 tokens of this run" in world.events[-1].message

    again = applied_again(world)
    again.settle()
    assert conditions(again.run)["Succeeded"] == ("True", "Completed")


def test_a_state_that_a_drained_trainer_saved_is_missed() -> None:
    world = a_world()
    world.reconcile()
    assert world.trainer is not None
    world.trainer[1].tokens = 4_096
    world.end_training(ExitCode.OK, Cause.DRAINED)
    world.run = with_spec(world.run, suspend=True)
    world.reconcile()

    world.run = with_spec(world.run, suspend=False)
    assert world.reconcile().intents == ()
    assert "no training state of 4,096 tokens of this run" in world.events[-1].message


def a_suspended_world(**spec: Any) -> World:
    """It trained to its first checkpoint and beyond, and its trainer saved a state at its drain."""
    world = begun(a_world(**spec))
    assert world.trainer is not None
    world.trainer[1].tokens = EVERY_TOKENS + 4_096
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    return world


NEWEST = KEYS.state_manifest(EVERY_TOKENS + 4_096)


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("page_objects", [1_000, 1])
def test_the_newest_state_is_missed_though_there_is_something_older(
    older: bool, page_objects: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lccp.facts.listing.PAGE_OBJECTS", page_objects)
    world = a_suspended_world()
    saved = world.store.get(NEWEST)
    world.store.delete(NEWEST)
    if older:
        world.store.put(KEYS.state_manifest(EVERY_TOKENS), b"{}")
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")

    world.run = with_spec(world.run, suspend=False)
    assert only_tells(world.reconcile())

    left = f"its newest is of {EVERY_TOKENS:,}" if older else "it holds none"
    told = f"no training state of {EVERY_TOKENS + 4_096:,} tokens of this run ({left})"
    assert told in world.events[-1].message
    world.store.put(NEWEST, saved)
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_the_newest_state_is_missed_though_nobody_tells_of_it_any_more() -> None:
    """First the heartbeats of the ended attempt are deleted, then the states."""
    world = a_suspended_world()
    for below in (KEYS.trainings, KEYS.states):
        for info in world.store.list(below):
            world.store.delete(info.key)
        world.restart_operator()
        world.reconcile()
        assert conditions(world.run)["Degraded"] == ("False", "Healthy")

    world.run = with_spec(world.run, suspend=False)
    assert only_tells(world.reconcile())

    told = f"no training state of {EVERY_TOKENS + 4_096:,} tokens of this run (it holds none)"
    assert told in world.events[-1].message
    world.store.put(NEWEST, b"{}")
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_an_older_copy_that_does_not_know_the_end_of_an_attempt_is_not_trained_on_from() -> None:
    """It knows no state and no checkpoint that were saved since, either."""
    world = begun(a_world())
    copy = deepcopy(world.store)
    assert world.trainer is not None
    world.trainer[1].tokens = EVERY_TOKENS + 4_096
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    restored = World(with_spec(world.run, suspend=False), NEVER, copy, now=world.now)
    restored.run = hide_checkpoints(restored.run)

    assert only_tells(restored.reconcile())

    assert conditions(restored.run)["Degraded"] == ("True", "StoredRunMissing")
    told = "no journal.json of this run with the end of attempt 1 (it is an older one) any more"
    assert told in restored.events[0].message


def hide_checkpoints(run: LCCPRun) -> LCCPRun:
    """As if none had been made since the copy."""
    assert run.status is not None
    return run.model_copy(update={"status": run.status.model_copy(update={"checkpoints": ()})})


@pytest.mark.parametrize("seen", ["Failed", "nothing"])
def test_a_held_run_does_not_claim_that_its_ended_gang_works(seen: str) -> None:
    world = begun(a_world())
    key = KEYS.heartbeat("a1-00000001")
    beat = heartbeat_of(1, 4_096, world.now).model_copy(update={"states": (4_096,)})
    world.store.put(key, beat.to_json())
    world.reconcile()
    assert conditions(world.run)["Training"] == ("True", "Running")

    world.end_training(137)
    if seen == "nothing":
        world.workers.clear()
    assert only_tells(world.reconcile())

    assert conditions(world.run)["Training"] == ("False", "StoredRunMissing")
    assert world.run.status is not None
    told = {c.type.value: c.message for c in world.run.status.conditions}["Training"]
    assert told.startswith("no pod of the last attempt works any more: what follows is decided")


@pytest.mark.parametrize("way", ["apply again", "lostState", "a later attempt"])
def test_what_is_lost_for_good_is_trained_again_if_somebody_says_so(way: str) -> None:
    """Or once an attempt trained without it: it had found it damaged, and withdrawn it."""
    policy = "Restart" if way == "lostState" else "Fail"
    world = a_suspended_world(checkpoints={"everyTokens": EVERY_TOKENS, "lostState": policy})
    world.store.delete(NEWEST)
    if way == "a later attempt":
        beat = heartbeat_of(2, EVERY_TOKENS, world.now)
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.run = with_spec(world.run, suspend=False)

    again = applied_again(world) if way == "apply again" else world
    again.settle()

    assert conditions(again.run)["Succeeded"] == ("True", "Completed")


@pytest.mark.parametrize("works", [True, False])
def test_an_attempt_that_withdrew_the_only_state_starts_over_if_the_policy_says_so(
    works: bool,
) -> None:
    """The attempt before it saved that state, and no checkpoint."""
    checkpoints = {"everyTokens": EVERY_TOKENS, "lostState": "Restart"}
    world = a_world_that_saved_a_state(checkpoints=checkpoints)
    world.end_training(137)
    beat = heartbeat_of(2, 0, world.now, phase="Starting")
    world.store.put(KEYS.state_manifest(4_096), b"{}")
    for _ in range(2):
        world.pass_time(700)
        world.reconcile()
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.store.delete(KEYS.state_manifest(4_096))
    if not works:
        world.end_training(137)

    world.reconcile()

    assert conditions(world.run)["Degraded"][1] != "StoredRunMissing"
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


@pytest.mark.parametrize("policy", ["Fail", "Restart"])
def test_a_command_goes_on_without_the_newest_state_only_if_somebody_says_so(policy: str) -> None:
    """It is a new run object each time, also after an interruption."""
    world = a_suspended_world()
    world.store.delete(NEWEST)
    world.store.put(KEYS.state_manifest(EVERY_TOKENS), b"{}")
    checkpoints = {"everyTokens": EVERY_TOKENS, "lostState": policy}

    again = applied_again(world, checkpoints=checkpoints)
    decided = again.plan(replace(again.observed(), by_command=True))

    told = conditions(again.run.model_copy(update={"status": decided.status}))
    if policy == "Restart":
        assert told["Accepted"] == ("True", "Valid")
        return
    assert (told["Accepted"], decided.intents) == (("False", "StoredRunMissing"), ())
    message = decided.events[-1].message
    assert f"no training state of {EVERY_TOKENS + 4_096:,} tokens" in message
    assert message.endswith("set checkpoints.lostState to Restart and run the same command again")


def test_a_state_that_an_attempt_withdrew_before_it_died_at_its_start_is_not_missed() -> None:
    world = a_suspended_world()
    world.store.delete(NEWEST)
    world.store.put(KEYS.state_manifest(EVERY_TOKENS), b"{}")
    told = {"phase": "Starting", "states": (EVERY_TOKENS,)}
    beat = heartbeat_of(2, 0, world.now).model_copy(update=told)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    world.run = with_spec(world.run, suspend=False)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_state_that_the_last_heartbeat_tells_of_is_missed_once_no_gang_is_left() -> None:
    world = begun(a_world())
    beat = heartbeat_of(1, EVERY_TOKENS, world.now).model_copy(update={"states": (EVERY_TOKENS,)})
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")

    world.end_training(137)

    assert only_tells(world.reconcile())
    assert f"no training state of {EVERY_TOKENS:,} tokens" in world.events[-1].message


@pytest.mark.parametrize("attempt", [2, 1], ids=["a later attempt", "other pods of the attempt"])
def test_what_a_trainer_that_ended_while_it_loaded_did_not_look_for_is_missed(attempt: int) -> None:
    """Its last heartbeat tells of no states, though there were some."""
    world = a_suspended_world()
    world.pass_time(60)
    world.store.delete(NEWEST)
    loaded = heartbeat_of(attempt, 0, world.now, phase="Ending")
    loaded = loaded.model_copy(update={"writer": f"a{attempt}-0badf00d"})
    world.store.put(KEYS.heartbeat(loaded.writer), loaded.to_json())

    world.run = with_spec(world.run, suspend=False)

    assert only_tells(world.reconcile())
    assert f"no training state of {EVERY_TOKENS + 4_096:,} tokens" in world.events[-1].message


def test_the_state_that_an_attempt_is_to_resume_from_is_missed() -> None:
    """Nothing else tells of it: the run was applied again, and no trainer has begun since."""
    world = applied_again(a_suspended_world())
    world.run = with_spec(world.run, suspend=False)
    world.reconcile()
    assert world.facts.controls[max(world.facts.controls)].newest_state == EVERY_TOKENS + 4_096
    world.store.delete(NEWEST)
    world.workers.clear()

    assert only_tells(world.reconcile())
    assert f"no training state of {EVERY_TOKENS + 4_096:,} tokens" in world.events[-1].message


def test_a_trainer_that_saved_nothing_yet_begins_again() -> None:
    world = a_world()
    world.reconcile()
    world.store.put(KEYS.heartbeat("a1-00000001"), heartbeat_of(1, 4_096, world.now).to_json())
    world.reconcile()
    world.end_training(137)
    world.pass_time(700)

    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_new_run_does_not_begin_in_a_store_without_the_installations_mark() -> None:
    world = a_world()
    told = "store default: s3://lccp/rusn has no .installation-lccp.json"

    decided = world.reconcile(replace(world.observed(), unmarked=told))

    assert decided.intents == ()
    assert world.store.objects == {}
    assert conditions(world.run)["Degraded"] == ("True", "StoreUnmarked")
    assert [event.message for event in world.events] == [told]
    world.reconcile()
    assert len(world.started) == 1
    assert conditions(world.run)["Degraded"][0] == "False"
