"""What a run's training and evaluations are doing or waiting for."""

from dataclasses import replace

import pytest
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
from training_world import a_training_world, a_world, message, seen

from lccp.api.conditions import ConditionType, Reason
from lccp.api.objects.inputs import Fetched
from lccp_operator.observed import Known
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training


@pytest.mark.parametrize(
    ("phase", "found"),
    [
        ("Starting", ("True", "Starting")),
        ("Training", ("True", "Running")),
        ("Saving", ("True", "Saving")),
        ("Ending", ("True", "Saving")),
    ],
)
def test_training_tells_what_rank_0_does(phase: str, found: tuple[str, str]) -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, phase=phase)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    assert conditions(world.run)["Training"] == found


@pytest.mark.parametrize("drains", [True, False])
def test_a_gang_whose_end_nobody_records_is_not_said_to_train_or_to_save(drains: bool) -> None:
    world = a_training_world()
    world.run = with_spec(world.run, suspend=drains)
    world.reconcile()
    trouble = Trouble(Reason.STARTING, "no controller has recorded it")
    ended = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.SUCCEEDED, exit_code=0),))
    told = [
        seen(world, workloads=Known({Training(1): replace(ended, trouble=one)}))
        for one in (None, trouble)
    ]

    world.reconcile(told[0])
    assert conditions(world.run)["Training"] == ("True", "Draining" if drains else "Running")
    world.reconcile(told[1])
    assert conditions(world.run)["Training"] == ("False", "Starting")
    assert message(world, ConditionType.TRAINING) == f"attempt 1: {trouble.message}"


def test_a_gang_that_somebody_reduced_while_it_trained_is_not_said_to_train() -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    held = Trouble(Reason.HELD_BACK, "Job j has parallelism 1 instead of 2")
    left = (Pod(1, "b", Phase.RUNNING),)
    state = WorkloadState(Phase.RUNNING, left, pods_expected=2, trouble=held)
    world.reconcile(seen(world, workloads=Known({Training(1): state})))

    assert conditions(world.run)["Training"] == ("False", "HeldBack")
    told = message(world, ConditionType.TRAINING)
    assert told.startswith("attempt 1, 1 of 2 pods: Job j has parallelism 1 instead of 2")
    assert "gangTimeoutSeconds" not in told


def test_what_is_amiss_beside_what_works_is_told_with_it() -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.store.put(KEYS.checkpoint_manifest(EVERY_TOKENS), manifest_of(EVERY_TOKENS).to_json())
    world.reconcile()
    beside = Trouble(Reason.IMAGE_UNAVAILABLE, "beside:1: not found")
    works = WorkloadState(Phase.RUNNING, (Pod(0, "00000001", Phase.RUNNING),), trouble=beside)
    evaluation = Evaluation(EVERY_TOKENS, "intrinsic", 1)
    world.reconcile(seen(world, workloads=Known({Training(1): works, evaluation: works})))

    assert conditions(world.run)["Training"] == ("True", "Running")
    assert message(world, ConditionType.TRAINING) == "attempt 1 is training; beside:1: not found"
    assert conditions(world.run)["Evaluating"] == ("True", "Running")
    assert message(world, ConditionType.EVALUATING).endswith(": beside:1: not found")


def test_a_gang_that_never_reported_is_not_said_to_load_its_model() -> None:
    world = a_world()
    world.reconcile()
    state = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING),), log="kubectl logs job/tiny")
    world.reconcile(seen(world, workloads=Known({Training(1): state})))

    told = message(world, ConditionType.TRAINING)
    assert told.startswith("attempt 1 has started, and reported nothing yet: ")
    assert "a node of theirs is gone, or they can't reach the store or one another: see" in told
    assert "or one another: see its log (kubectl logs job/tiny)" in told


def test_an_importer_that_never_reported_is_not_said_to_wait_for_peers() -> None:
    world = World(an_attached_run(), NEVER)
    world.reconcile()
    state = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING),))
    world.reconcile(seen(world, workloads=Known({Training(1): state})))

    assert message(world, ConditionType.TRAINING) == (
        "attempt 1 has started, and reported nothing yet: if this lasts, its node is gone, or its "
        "importer can't reach the store"
    )


def test_training_tells_how_far_model_and_documents_are_fetched() -> None:
    world = a_training_world()
    fetched = Fetched(size=47 * 10**9, total=160 * 10**9)
    beat = heartbeat_of(1, 0, world.now, phase="Starting").model_copy(update={"fetched": fetched})
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    assert message(world, ConditionType.TRAINING) == (
        "attempt 1 fetches model and documents: 20 % of 160.0 GB are on its first node"
    )


@pytest.mark.parametrize(
    "workload", [Training(1), Evaluation(EVERY_TOKENS)], ids=["gang", "evaluator"]
)
def test_what_keeps_a_workload_from_running_is_named_with_what_to_do(workload: Workload) -> None:
    world = a_training_world()
    trouble = Trouble(Reason.MISSING_SECRET, 'secret "s3-credentials" not found')
    state = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.PENDING),), trouble=trouble)
    world.reconcile(seen(world, workloads=Known({workload: state})))

    type_ = ConditionType.TRAINING if isinstance(workload, Training) else ConditionType.EVALUATING
    assert conditions(world.run)[type_.value] == ("False", "MissingSecret")
    assert message(world, type_).endswith(
        'secret "s3-credentials" not found: create it in this namespace; the pods then start by '
        "themselves"
    )


def test_of_a_rejected_pod_the_advice_is_not_only_about_policies_and_its_template() -> None:
    world = a_training_world()
    trouble = Trouble(Reason.POD_REJECTED, "no PriorityClass with name high was found")
    state = WorkloadState(Phase.PENDING, trouble=trouble)
    world.reconcile(seen(world, workloads=Known({Training(1): state})))

    assert message(world, ConditionType.TRAINING).endswith(
        "no PriorityClass with name high was found: correct the policy of this cluster that it "
        "names, create what it misses, or change topology"
    )


def test_an_earlier_job_that_holds_an_attempt_back_is_not_said_to_be_made_again() -> None:
    world = a_world()
    world.reconcile()
    held = Trouble(Reason.HELD_BACK, "Job tiny-train-a0 has lost its label")
    world.reconcile(seen(world, workloads=Known({}), rejected={Training(1): held}))

    told = message(world, ConditionType.TRAINING)
    assert told.endswith("undo that change, or delete that object; what is due is then created")


@pytest.mark.parametrize(
    "workload", [Training(1), Evaluation(EVERY_TOKENS)], ids=["gang", "evaluator"]
)
def test_pods_that_ended_before_their_job_says_so_are_not_starting(workload: Workload) -> None:
    world = a_training_world()
    state = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.SUCCEEDED, exit_code=0),))
    world.reconcile(seen(world, workloads=Known({workload: state})))

    type_ = ConditionType.TRAINING if isinstance(workload, Training) else ConditionType.EVALUATING
    assert conditions(world.run)[type_.value] == ("True", "Running")
    assert message(world, type_).endswith(": its pods have ended")


@pytest.mark.parametrize(
    "workload", [Training(1), Evaluation(EVERY_TOKENS)], ids=["gang", "evaluator"]
)
def test_a_workload_that_is_rejected_is_named(workload: Workload) -> None:
    world = a_world()
    world.reconcile()
    world.train()
    world.workers.clear()
    world.store.delete(KEYS.heartbeat("a1-00000001"))
    trouble = Trouble(Reason.QUOTA_EXCEEDED, "exceeded quota: gpus")

    world.reconcile(seen(world, workloads=Known({}), rejected={workload: trouble}))

    name = "Training" if isinstance(workload, Training) else "Evaluating"
    assert conditions(world.run)[name] == ("False", "QuotaExceeded")


def test_a_refusal_of_an_evaluation_that_nobody_asks_for_any_more_is_not_told() -> None:
    world = a_training_world()
    refused = Trouble(Reason.QUOTA_EXCEEDED, "exceeded quota: gpus")
    of_a_suite = Evaluation(EVERY_TOKENS, "a-suite-that-was-removed")

    world.reconcile(seen(world, workloads=Known({}), rejected={of_a_suite: refused}))

    assert "exceeded quota" not in message(world, ConditionType.EVALUATING)


@pytest.mark.parametrize(
    ("phase", "found", "start"),
    [
        (Phase.RUNNING, ("True", "Running"), "evaluates checkpoint 8,192; "),
        (Phase.SUCCEEDED, ("False", "ImageUnavailable"), ""),
    ],
    ids=["beside one that runs", "alone"],
)
def test_every_evaluation_that_can_not_start_is_named(
    phase: Phase, found: tuple[str, str], start: str
) -> None:
    world = a_training_world()
    first, second = (
        WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.PENDING),), trouble=trouble)
        for trouble in (
            Trouble(Reason.IMAGE_UNAVAILABLE, "no such image"),
            Trouble(Reason.UNSCHEDULABLE, "no node has room"),
        )
    )
    workloads = {
        Evaluation(EVERY_TOKENS): WorkloadState(phase, (Pod(0, "b", phase),)),
        Evaluation(2 * EVERY_TOKENS): first,
        Evaluation(3 * EVERY_TOKENS): second,
    }
    world.reconcile(seen(world, workloads=Known(workloads)))

    assert conditions(world.run)["Evaluating"] == found
    told = message(world, ConditionType.EVALUATING)
    assert told.startswith(f"{start}evaluation of checkpoint 16,384: no such image: correct")
    assert "; evaluation of checkpoint 24,576: no node has room: free" in told


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
