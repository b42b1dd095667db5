"""Whether a run may use the store's objects under its name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    NEVER,
    START,
    MemoryStore,
    World,
    a_small_run,
    applied_again,
    begun,
    conditions,
    heartbeat_of,
    manifest_of,
    with_spec,
    with_uid,
)

from lccp.analysis.verdict import judge
from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Pinned, PodDefaults
from lccp.api.objects.run import RunIdentity
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.cost.compatibility import refusals
from lccp_operator.intents import ApplyWorkload, ClaimIdentity, ClaimRun
from lccp_operator.observed import Observed, Owner, Unknown
from lccp_operator.plan import invalid_spec
from lccp_operator.plan.acceptance import stored_identity
from lccp_operator.records import record_deletion


def a_world(**spec: Any) -> World:
    return World(a_small_run(**spec), NEVER)


def test_an_empty_prefix_is_claimed() -> None:
    world = a_world()

    assert any(isinstance(intent, ClaimIdentity) for intent in world.reconcile().intents)
    identity = RunIdentity.from_json(world.store.get(KEYS.identity), KEYS.identity)
    assert identity == stored_identity(world.run)


def test_another_identity_is_refused_with_what_differs_and_nothing_is_touched() -> None:
    first = a_world()
    first.settle()
    before = dict(first.store.objects)
    model = {"source": "model", "targetContextLength": 512, "ropeBase": 80_000}
    world = applied_again(first, model=model)

    decided = world.reconcile()

    assert decided.idle
    assert decided.intents == ()
    assert world.store.objects == before
    assert conditions(world.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")
    assert conditions(world.run)["Failed"] == ("True", "StoreHoldsAnotherRun")
    assert world.run.status is not None
    assert world.run.status.conditions[0].message == (
        "store default already holds a run default/tiny, another one (model.ropeBase is 40000 "
        "there and 80000 here): give this run another name, or delete that run's objects"
    )


def test_a_copy_of_another_run_of_the_same_spec_is_replaced_and_nothing_is_started() -> None:
    world = a_world()
    world.settle()
    started, own = list(world.started), world.store.get(KEYS.identity)
    other = stored_identity(world.run).model_copy(update={"name": "other"})
    world.store.put(KEYS.identity, other.to_json())

    world.settle()

    assert world.store.get(KEYS.identity) == own
    assert world.started == started


ONE, TWO, THREE = (
    Owner(f"lccp/{name}@0000000{n}") for n, name in enumerate(("one", "two", "three"), 1)
)


HEIR = replace(TWO, adopts=frozenset({ONE.id}))


def owned(owner: Owner) -> World:
    """A run that an installation carried out."""
    world = replace(a_world(), owner=owner)
    world.settle()
    return world


@pytest.mark.parametrize("deleted", [False, True], ids=["that goes on", "that was deleted"])
def test_the_prefix_of_another_run_is_taken_over_only_from_one(deleted: bool) -> None:
    """Two run objects reach one prefix by a link, or one of them by a copy."""
    world = begun(World(a_small_run(), NEVER))
    identity = json.loads(world.store.get(KEYS.identity)) | {"name": "twin"}
    world.store.put(KEYS.identity, json.dumps(identity).encode())
    if deleted:
        record_deletion(world.store, KEYS, "run-1", lambda: None)
    before = dict(world.store.objects)

    second = applied_again(world)
    second.reconcile()

    if deleted:
        assert conditions(second.run)["Accepted"] == ("True", "Valid")
        return
    assert conditions(second.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")
    assert second.run.status is not None
    told = next(c for c in second.run.status.conditions if c.type.value == "Accepted").message
    assert "whose run.json and journal.json are those of run default/twin" in told
    assert "delete that run's objects" not in told
    assert (second.started, second.store.objects) == ([], before)


def test_what_an_installation_carries_out_is_marked_in_store_and_status() -> None:
    world = owned(ONE)

    assert world.facts.identity is not None
    assert world.facts.identity.installation == ONE.id
    assert world.run.status is not None
    assert world.run.status.installation == ONE.id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "same_store"),
    [(True, True), (True, False), (False, True)],
    ids=["one store", "two stores", "one store and no status yet"],
)
@pytest.mark.parametrize("deleting", [True, False], ids=["deleted", "there"])
def test_two_installations_that_watch_one_namespace_are_told_and_one_writes_nothing(
    status: bool, same_store: bool, deleting: bool
) -> None:
    first = owned(ONE)
    metadata = first.run.metadata
    if deleting:
        metadata = metadata.model_copy(update={"deletion_timestamp": first.now})
    update = {"metadata": metadata} | ({} if status else {"status": None})
    store = first.store if same_store else MemoryStore()
    run = first.run.model_copy(update=update)
    world = World(run, NEVER, store, now=first.now, owner=TWO, finalizer=True)

    decided = world.reconcile()
    world.reconcile()

    assert decided.intents == ()
    assert world.run.status == run.status
    assert world.status_writes == 0
    (event,) = world.events
    assert f"installation {ONE.id} manages this run" in event.message
    assert world.plan(replace(world.observed(), left_to=ONE.id)).events == ()
    assert world.plan(replace(world.observed(), left_to=HEIR.id)).events == (event,)


def test_each_of_two_that_leave_a_run_to_a_third_says_so_in_an_event_of_its_own() -> None:
    first = owned(ONE)
    others = [replace(first, owner=owner, events=[]) for owner in (TWO, THREE)]
    for world in others:
        world.reconcile()

    told = [event for world in others for event in world.events]
    assert len({(event.reason, event.at, event.about) for event in told}) == 2
    assert all(f"{world.owner.id} watches" in world.events[0].message for world in others)


@pytest.mark.parametrize("own_store", [True, False], ids=["found new by both", "new"])
def test_a_run_whose_status_was_emptied_is_that_installations_whose_gang_it_has(
    own_store: bool,
) -> None:
    world = owned(TWO) if own_store else replace(a_world(), owner=TWO)
    world.run = world.run.model_copy(update={"status": None})
    writes, before = world.status_writes, dict(world.store.objects)

    decided = world.reconcile(replace(world.observed(), made_by=ONE.id))

    assert decided.intents == ()
    assert (world.status_writes, world.store.objects) == (writes, before)
    assert f"installation {ONE.id} manages this run" in world.events[-1].message

    heir = replace(world.observed(), made_by=ONE.id, owner=HEIR)
    assert world.plan(heir).status.installation == TWO.id


def test_a_run_is_claimed_in_its_status_before_anything_else_is_done() -> None:
    world = replace(a_world(), owner=ONE)

    assert world.plan().intents[0] == ClaimRun(LCCPRunStatus(installation=ONE.id))
    world.reconcile()
    assert not any(isinstance(intent, ClaimRun) for intent in world.plan().intents)
    assert world.run.status is not None
    inherited = world.run.status.model_copy(update={"installation": TWO.id})
    assert world.plan(replace(world.observed(), owner=HEIR)).intents[0] == ClaimRun(inherited)


def test_a_claim_alone_is_begun_by_whose_it_is_and_left_alone_by_others() -> None:
    """As one leaves it that dies between its claim and the store."""
    run = a_small_run().model_copy(update={"status": LCCPRunStatus(installation=ONE.id)})

    second = World(run, NEVER, owner=TWO)
    assert second.reconcile().intents == ()
    assert second.store.objects == {}

    first = World(run, NEVER, owner=ONE)
    first.settle()
    assert conditions(first.run)["Succeeded"] == ("True", "Completed")


UNTRAINABLE = {
    "tokens": BUDGET_TOKENS,
    "globalBatchTokens": 4_096,
    "learningRate": "1.5e-4",
    "deepspeed": {"zeroStage": 0},
}
THIRD = {"nodes": 3}


def two_that_refuse(refused_by: str) -> World:
    """A run that no installation accepts, before any of them sees it."""
    if refused_by == "each store":
        return replace(applied_again(owned(Owner("lccp/third@00000003"))), owner=ONE)
    if refused_by == "each store, once begun":
        world = applied_again(owned(Owner("lccp/third@00000003")))
        begun = LCCPRunStatus(start_time=START)
        world.run = world.run.model_copy(update={"status": begun})
        return replace(world, owner=ONE)
    if refused_by == "the spec":
        return replace(a_world(training=UNTRAINABLE, topology=THIRD), owner=ONE)
    return replace(a_world(), owner=ONE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "refused_by", ["the spec", "each store", "each list of stores", "each store, once begun"]
)
def test_what_two_installations_refuse_is_said_by_one_of_them_once(refused_by: str) -> None:
    world = two_that_refuse(refused_by)
    for owner in (ONE, TWO, ONE, TWO):
        world.owner = owner
        seen = world.observed()
        if refused_by == "each list of stores":
            why = f"there is no store 'x'; this installation has {owner.id}"
            seen = replace(seen, store=Unknown(START, why, Reason.UNKNOWN_STORE))
        world.reconcile(seen)

    begun = refused_by == "each store, once begun"
    assert conditions(world.run)["Degraded" if begun else "Accepted"][0] == str(begun)
    assert world.status_writes == 1
    told = [event for event in world.events if "manages this run, and" not in event.message]
    assert len(told) == (refused_by != "each list of stores")


def test_a_new_run_whose_store_is_away_is_polled_and_told_what_it_answers_now() -> None:
    world = replace(a_world(), owner=ONE)
    for answer in ("no bucket", "no bucket", "keys refused"):
        away = Unknown(START, answer, Reason.STORE_UNREACHABLE)
        decided = world.reconcile(replace(world.observed(), store=away))
        assert not decided.idle
        assert decided.requeue_after_seconds is not None

    assert world.status_writes == 2
    assert world.run.status is not None
    told = {c.type.value: c.message for c in world.run.status.conditions}
    assert told["Degraded"] == "keys refused"


def test_two_installations_that_reach_no_store_do_not_overwrite_each_other_in_turns() -> None:
    world = a_world()
    for round_, owner in enumerate((ONE, TWO, ONE, TWO)):
        world.owner = owner
        away = Unknown(START, f"the store of {owner.id} does not answer", Reason.STORE_UNREACHABLE)
        seen = replace(world.observed(), store=away, status_is_own=round_ == 0)
        assert world.reconcile(seen).requeue_after_seconds is not None

    assert world.status_writes == 1
    world.reconcile(world.observed())
    assert world.run.status is not None
    assert world.run.status.installation == TWO.id


def test_a_refusal_of_an_earlier_generation_is_said_anew() -> None:
    world = two_that_refuse("each store")
    world.reconcile()
    metadata = world.run.metadata.model_copy(update={"generation": 2})
    world.run = world.run.model_copy(update={"metadata": metadata})
    world.reconcile()
    assert world.status_writes == 2


@pytest.mark.slow
def test_another_clusters_run_of_this_name_is_refused() -> None:
    first = owned(ONE)
    before = dict(first.store.objects)
    world = replace(applied_again(first), owner=TWO)

    assert world.reconcile().intents == ()
    assert conditions(world.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")
    assert world.store.objects == before


@pytest.mark.slow
@pytest.mark.parametrize("deleting", [True, False], ids=["deleted", "there"])
def test_a_url_that_leads_to_anothers_run_ends_nothing_and_deletes_nothing(deleting: bool) -> None:
    mine, theirs = owned(TWO), owned(ONE)
    run = mine.run.model_copy(
        update={"metadata": mine.run.metadata.model_copy(update={"uid": "run-9"})}
    )
    if deleting:
        run = with_spec(run, deletionPolicy="DeleteArtifacts")
        metadata = run.metadata.model_copy(update={"deletion_timestamp": mine.now})
        run = run.model_copy(update={"metadata": metadata})
    world = World(run, NEVER, theirs.store, now=mine.now, owner=TWO, finalizer=True)

    decided = world.reconcile()

    assert decided.intents == ()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert deleting or conditions(world.run)["Degraded"] == ("True", "StoreHoldsAnotherRun")


def test_a_purge_that_is_anothers_is_told_and_nobody_is_asked_to_do_it() -> None:
    theirs = owned(ONE)
    run = with_spec(a_small_run("run-9"), deletionPolicy="DeleteArtifacts", purgeTimeoutSeconds=60)
    metadata = run.metadata.model_copy(update={"deletion_timestamp": theirs.now})
    run = run.model_copy(update={"metadata": metadata})
    world = World(run, NEVER, theirs.store, now=theirs.now, owner=TWO, finalizer=True)

    world.reconcile()
    assert world.run.status is not None
    (told,) = {c.message for c in world.run.status.conditions if c.type.value == "Training"}
    assert f"that installation {ONE.id} manages" in told
    world.pass_time(61)
    world.reconcile()

    assert world.events[-1].reason.value == "PurgeGivenUp"
    assert ONE.id in world.events[-1].message
    assert "by hand" not in world.events[-1].message


def test_a_laptop_leaves_the_run_of_an_installation_alone_until_that_deleted_it() -> None:
    first = replace(a_world(), owner=ONE)
    first.reconcile()
    first.train()
    before = dict(first.store.objects)
    laptop = applied_again(first)

    assert laptop.reconcile().intents == ()
    assert laptop.store.objects == before
    assert conditions(laptop.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")
    assert laptop.run.status is not None
    assert "delete its run object there first" in laptop.run.status.conditions[0].message

    record_deletion(first.store, KEYS, first.run.metadata.uid, lambda: None)
    laptop = applied_again(first)
    laptop.settle()

    assert conditions(laptop.run)["Succeeded"] == ("True", "Completed")
    assert laptop.facts.identity is not None
    assert laptop.facts.identity.installation == ""


def test_a_run_that_no_trainer_would_take_is_refused_until_it_is_mended() -> None:
    world = a_world(training=UNTRAINABLE, topology=THIRD)

    decided = world.reconcile()

    assert decided.idle
    assert decided.intents == ()
    assert world.store.objects == {}
    assert conditions(world.run)["Accepted"] == ("False", "InvalidSpec")
    assert conditions(world.run)["Failed"] == ("True", "InvalidSpec")
    assert world.run.status is not None
    told = world.run.status.conditions[0].message
    assert told == "; ".join(refusals(world.run.spec))
    assert "training.deepspeed.zeroStage: 0 is wrong" in told

    mended = UNTRAINABLE | {"deepspeed": {"zeroStage": 1}}
    world.run = with_spec(world.run, training=mended, topology={})
    world.settle()
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_model_that_can_be_seen_is_looked_at_too() -> None:
    config = {"model_type": "mistral", "sliding_window": 128}
    world = replace(a_world(), model_config=config)

    world.reconcile()

    assert conditions(world.run)["Accepted"] == ("False", "InvalidSpec")
    assert world.run.status is not None
    assert "the last 128 tokens" in world.run.status.conditions[0].message


def test_what_a_run_is_changed_into_under_way_is_its_trainers_to_refuse() -> None:
    world = a_world()
    world.reconcile()
    world.train()

    world.run = with_spec(world.run, training=UNTRAINABLE)
    world.reconcile()

    assert conditions(world.run)["Accepted"] == ("True", "Valid")
    assert world.facts.journal.attempts[-1].ended_at is None


def test_so_it_is_though_the_journal_lost_attempts() -> None:
    """Of seven it knows one, as the run is applied again."""
    world = a_world()
    world.reconcile()
    world.end_training(137)
    world.reconcile()
    beat = heartbeat_of(7, 0, world.now, phase="Starting")
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    again = applied_again(world)
    again.pass_time(700)
    again.reconcile()
    assert [one.number for one in again.journal.attempts] == [1, 8]

    again.run = with_spec(again.run, training=UNTRAINABLE)
    again.reconcile()

    assert conditions(again.run)["Accepted"] == ("True", "Valid")


def test_failures_are_forgiven_by_number_though_the_journal_lost_attempts() -> None:
    """Heartbeats tell of seven, so the second that is in the journal is the eighth."""
    world = a_world()
    world.reconcile()
    beat = heartbeat_of(7, 0, world.now, phase="Starting")
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    for code in (137, ExitCode.CONFIGURATION):
        world.end_training(code)
        world.reconcile()
        world.pass_time(700)
        world.reconcile()
    assert [one.number for one in world.journal.attempts] == [1, 8]
    assert conditions(world.run)["Failed"][0] == "True"

    for suspended in (True, False):
        world.run = with_spec(world.run, suspend=suspended)
        world.reconcile()

    assert [one.number for one in world.journal.attempts] == [1, 8, 9]


def test_a_run_object_that_is_there_again_is_not_deleted() -> None:
    world = a_world()
    world.reconcile()
    record_deletion(world.store, KEYS, world.run.metadata.uid, lambda: None)

    world.reconcile()

    accepted = world.facts.journal.accepted
    assert accepted is not None
    assert accepted.deleted_at is None
    assert len(world.facts.journal.attempts) == 1


@pytest.mark.slow
def test_an_installation_goes_on_with_the_runs_of_one_that_is_gone() -> None:
    first = owned(ONE)
    world = World(first.run, NEVER, first.store, now=first.now, owner=HEIR)

    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")
    assert world.facts.identity is not None
    assert world.facts.identity.installation == TWO.id
    assert world.run.status is not None
    assert world.run.status.installation == TWO.id
    assert world.started == []


def test_a_refusal_is_told_once() -> None:
    first = a_world()
    first.settle()
    world = applied_again(first, data=_other_data())
    world.reconcile()
    world.reconcile()

    assert [event.reason.value for event in world.events] == ["Refused"]
    assert world.status_writes == 1


def test_objects_without_identity_are_not_taken_over() -> None:
    world = a_world()
    world.store.put(KEYS.checkpoint_manifest(EVERY_TOKENS), manifest_of(EVERY_TOKENS).to_json())

    world.reconcile()

    assert conditions(world.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")


def test_the_same_identity_goes_on_where_it_was() -> None:
    first = a_world()
    first.reconcile()
    first.train()
    world = applied_again(first)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert world.journal.attempts[0].number == 1
    assert world.journal.attempts[-1].number == 2
    assert any("1 checkpoint in the store" in event.message for event in world.events)


def test_without_adoption_a_new_object_is_refused() -> None:
    checkpoints = {"everyTokens": EVERY_TOKENS, "adopt": False}
    first = a_world(checkpoints=checkpoints)
    first.reconcile()
    first.train()
    assert conditions(first.run)["Accepted"] == ("True", "Valid")

    world = applied_again(first, checkpoints=checkpoints)
    world.reconcile()

    assert conditions(world.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")


@pytest.mark.slow
def test_failures_of_an_earlier_object_do_not_count() -> None:
    first = a_world()
    first.reconcile()
    first.end_training(ExitCode.CONFIGURATION)
    first.settle()
    assert conditions(first.run)["Failed"] == ("True", "Configuration")

    world = applied_again(first)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_failed_evaluations_of_an_earlier_object_are_tried_again() -> None:
    first = a_world(evaluation={"retries": 0})
    first.reconcile()
    first.train()
    first.reconcile()
    first.evaluate(ExitCode.CONFIGURATION)
    first.settle()
    assert conditions(first.run)["Degraded"] == ("True", "EvaluationFailed")

    world = applied_again(first, evaluation={"retries": 0})
    world.settle()

    assert conditions(world.run)["Degraded"] == ("False", "Healthy")
    assert {tokens for tokens, _ in world.facts.reports} == set(world.facts.checkpoints)


def test_a_finished_run_that_is_applied_again_runs_nothing() -> None:
    first = a_world()
    first.settle()
    world = applied_again(first)
    world.settle()

    assert world.started == []
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


OFFERS = st.builds(
    Pinned,
    trainer_image=st.sampled_from(["trainer:v1", "trainer:v2"]),
    evaluator_image=st.sampled_from(["evaluator:v1", "evaluator:v2"]),
    templates=st.builds(
        PodDefaults,
        image_pull_policy=st.sampled_from(["Always", "IfNotPresent", "Never"]),
        image_pull_secrets=st.sampled_from([(), ("registry",), ("informer", "registry")]),
        run_service_account=st.sampled_from(["default", "lccp-run"]),
        evaluator_priority_class=st.sampled_from([None, "low"]),
    ),
)


def offering(world: World, offered: Pinned) -> Observed:
    return replace(world.observed(), offered=offered)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(first=OFFERS, upgrades=st.lists(OFFERS, min_size=1, max_size=6))
def test_every_workload_is_made_of_what_was_offered_at_the_start(
    first: Pinned, upgrades: list[Pinned]
) -> None:
    world = a_world()
    made = [*world.reconcile(offering(world, first)).intents]
    for number, upgrade in enumerate(upgrades):
        world.train()
        if number == 1 and world.trainer:
            world.end_training(ExitCode.INTERNAL)
        world.pass_time(700)
        made += world.reconcile(offering(world, upgrade)).intents
        world.evaluate()

    assert world.journal.pinned == first
    workloads = [intent for intent in made if isinstance(intent, ApplyWorkload)]
    assert len(workloads) > 1
    assert all(intent.pinned == first for intent in workloads)


def test_a_new_run_is_made_of_what_is_offered_now() -> None:
    first, later = (Pinned(trainer_image=f"trainer:v{n}", templates=PodDefaults()) for n in (1, 2))
    world = a_world()
    world.reconcile(offering(world, first))
    world = applied_again(world)
    world.reconcile(offering(world, later))

    assert world.journal.pinned == later


def test_what_an_older_version_did_not_pin_is_pinned_at_the_next_reconcile() -> None:
    world = a_world()
    old = Pinned(trainer_image="trainer:v1", evaluator_image="evaluator:v1")
    world.reconcile(offering(world, old))
    journal = json.loads(world.store.get(KEYS.journal))
    journal["pinned"]["templates"] = {}
    world.store.put(KEYS.journal, json.dumps(journal).encode())
    defaults = PodDefaults(run_service_account="lccp-run")

    world.reconcile(offering(world, Pinned(trainer_image="trainer:v2", templates=defaults)))
    assert world.journal.pinned == old.model_copy(update={"templates": defaults})

    decided = world.reconcile(offering(world, Pinned(trainer_image="trainer:v3", templates=None)))
    assert decided.intents == ()


def test_an_invalid_spec_is_refused_in_a_sentence() -> None:
    sentence = "spec.training.tokens: is required"

    status = invalid_spec(None, 3, sentence, START, ONE)

    by_type = {c.type.value: c for c in status.conditions}
    assert len(by_type) == 8
    assert by_type["Accepted"].message == sentence
    assert by_type["Failed"].status == "True"
    assert status.summary == "Refused"


def _other_data() -> dict[str, Any]:
    return {
        "sources": [{"name": "long", "kind": "Long", "path": "other.jsonl"}],
        "shortFraction": "0",
    }


def test_a_new_optional_field_disowns_no_run() -> None:
    first = a_world()
    first.settle()
    stored = json.loads(first.store.get(KEYS.identity))
    del stored["identity"]["training"]["gradientClipping"]
    first.store.put(KEYS.identity, json.dumps(stored).encode())

    world = applied_again(first)
    world.settle()

    assert conditions(world.run)["Accepted"] == ("True", "Valid")
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_prefix_without_checkpoint_or_state_is_claimed_anew() -> None:
    first = a_world()
    first.reconcile()
    first.end_training(ExitCode.CONFIGURATION)
    first.settle()
    corrected = applied_again(first, data=_other_data())

    corrected.settle()

    assert conditions(corrected.run)["Succeeded"] == ("True", "Completed")
    identity = RunIdentity.from_json(corrected.store.get(KEYS.identity), KEYS.identity)
    assert identity == stored_identity(corrected.run)
    assert [a.number for a in corrected.journal.attempts] == [1, 2]


def test_a_prefix_with_a_state_alone_is_not_claimed_anew() -> None:
    first = a_world()
    first.reconcile()
    first.store.put(KEYS.state_manifest(4_096), b"{}")
    other = applied_again(first, data=_other_data())

    other.reconcile()

    assert conditions(other.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")


def test_a_failed_run_that_is_carried_out_differently_goes_on() -> None:
    world = a_world(restartPolicy={"maxRestarts": 0})
    world.reconcile()
    world.train()
    world.end_training(137, out_of_memory=True)
    world.settle()
    assert conditions(world.run)["Failed"] == ("True", "RestartsExhausted")

    training = world.run.document()["spec"]["training"] | {"activationCheckpointing": True}
    world.run = with_spec(world.run, training=training)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert [a.cause for a in world.journal.attempts] == [Cause.OUT_OF_MEMORY, Cause.COMPLETED]
    control = world.store.get(KEYS.control(2))
    assert json.loads(control)["settings"]["training"]["activationCheckpointing"] is True


def test_a_failed_run_that_was_suspended_is_tried_again() -> None:
    world = a_world()
    world.reconcile()
    world.end_training(ExitCode.CONFIGURATION)
    world.settle()
    assert conditions(world.run)["Failed"] == ("True", "Configuration")

    world.run = with_spec(world.run, suspend=True)
    world.settle()
    assert conditions(world.run)["Failed"][0] == "False"
    assert conditions(world.run)["Suspended"] == ("True", "SuspendedByUser")
    world.run = with_spec(world.run, suspend=False)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_failed_run_is_not_tried_again_unless_somebody_asks() -> None:
    world = a_world()
    world.reconcile()
    world.end_training(ExitCode.CONFIGURATION)
    world.settle()
    world.run = with_spec(world.run, saturation={"minGain": "0.05"})
    world.settle()

    assert conditions(world.run)["Failed"] == ("True", "Configuration")
    assert len(world.journal.attempts) == 1


def edited(run: LCCPRun, edits: int, **spec: Any) -> LCCPRun:
    """`run` as it is seen again after so many edits."""
    generation = run.metadata.generation + edits
    metadata = run.metadata.model_copy(update={"generation": generation})
    return with_spec(run.model_copy(update={"metadata": metadata}), **spec)


def a_failed_world() -> World:
    world = a_world()
    world.reconcile()
    world.end_training(ExitCode.CONFIGURATION)
    world.settle()
    return world


@pytest.mark.parametrize("away", [True, False], ids=["no operator led", "a busy operator"])
def test_a_failed_run_whose_suspend_was_set_and_reset_unseen_is_tried_again(away: bool) -> None:
    world = a_failed_world()
    if away:
        world.restart_operator()

    world.run = edited(world.run, edits=2)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


@pytest.mark.parametrize("emptied", [True, False])
def test_other_edits_of_a_failed_run_and_an_emptied_status_start_nothing(emptied: bool) -> None:
    world = a_failed_world()

    world.run = edited(world.run, edits=2, ttlSecondsAfterFinished=86_400)
    if emptied:
        world.run = world.run.model_copy(update={"status": None})
    world.settle()

    assert conditions(world.run)["Failed"] == ("True", "Configuration")
    assert len(world.journal.attempts) == 1


def test_a_failed_run_of_an_older_journal_waits_for_the_next_request() -> None:
    world = a_failed_world()
    older = world.journal.model_copy(update={"failed_with": None})
    world.store.put(KEYS.journal, older.to_json())
    world.restart_operator()

    world.run = edited(world.run, edits=2)
    world.settle()
    assert len(world.journal.attempts) == 1
    world.run = edited(world.run, edits=2)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_finished_run_that_version_2_recorded_runs_nothing() -> None:
    recorded = Path(__file__).parents[2] / "fixtures" / "stored" / "v2"
    store = MemoryStore()
    for path in filter(Path.is_file, recorded.rglob("default/**/*")):
        store.put(str(path.relative_to(recorded)), path.read_bytes())
    manifest = yaml.safe_load((recorded / "tiny.yaml").read_text())
    world = World(with_uid(LCCPRun.parse(manifest, "tiny.yaml"), "run-2"), judge, store)

    world.settle()

    assert world.started == []
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")
