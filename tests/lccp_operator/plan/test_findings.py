"""What a run's training and evaluations do, or wait for."""

import pytest
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    conditions,
    heartbeat_of,
)
from training_world import a_training_world, a_world, message, seen

from lccp.api.conditions import ConditionType, Reason
from lccp.api.objects.training import Fetched
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
