"""Fields that older images leave out are told, if the run sets them."""

from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    an_attached_run,
    conditions,
    heartbeat_of,
    manifest_of,
    report_of,
    with_spec,
)
from training_world import a_training_world, message

from lccp.api.conditions import ConditionType


def test_a_field_that_the_pinned_image_does_not_know_is_told_if_the_run_sets_it() -> None:
    world = a_training_world()
    unknown = ("topology.gangTimeoutSeconds", "training.zLossCoefficient")
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, unknown_fields=unknown)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")

    world.run = with_spec(world.run, topology={"gangTimeoutSeconds": 60})
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("True", "ObservationIncomplete")
    told = message(world, ConditionType.DEGRADED)
    assert told.startswith("the trainer does not know topology.gangTimeoutSeconds and trains")
    assert "zLossCoefficient" not in told


def test_of_an_importer_a_field_that_it_does_not_know_names_the_evaluators_image() -> None:
    run = an_attached_run(topology={"gangTimeoutSeconds": 60})
    world = World(run, NEVER)
    world.reconcile()
    beat = heartbeat_of(1, 0, world.now, unknown_fields=("topology.gangTimeoutSeconds",))
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    told = message(world, ConditionType.DEGRADED)
    assert told.startswith("the importer does not know topology.gangTimeoutSeconds and imports")
    assert "evaluation.image" in told


def test_a_trainer_that_does_not_know_what_others_work_by_hampers_nothing() -> None:
    world = a_training_world()
    world.run = with_spec(world.run, evaluation={"retries": 1})
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, unknown_fields=("evaluation.retries",))
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    assert "does not know" not in message(world, ConditionType.DEGRADED)


def test_of_an_evaluator_the_newest_report_tells_which_probes_it_does_not_know() -> None:
    world = World(a_small_run(evaluation={"probes": {"niah": {"haystacks": 3}}}), NEVER)
    world.reconcile()
    manifest = manifest_of(EVERY_TOKENS)
    world.store.put(KEYS.checkpoint_manifest(EVERY_TOKENS), manifest.to_json())
    unknown = {"unknown_fields": ("evaluation.probes.niah.haystacks",)}
    report = report_of(manifest).model_copy(update=unknown)
    world.store.put(KEYS.report(EVERY_TOKENS), report.to_json())
    world.reconcile()

    told = message(world, ConditionType.DEGRADED)
    assert "the evaluator does not know evaluation.probes.niah.haystacks and measures" in told
