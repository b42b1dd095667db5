"""The status: what people and programs read of a run."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    NEVER,
    START,
    World,
    a_small_run,
    conditions,
    heartbeat_of,
    with_spec,
)

from lccp.api.conditions import OF_EVERY_RUN, ConditionType, Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Answer, Gate, GateAnswer, Verdict
from lccp.api.status import LCCPRunStatus
from lccp_operator.observed import Known, Observed, Unknown
from lccp_operator.plan import plan
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training


def a_world(**spec: Any) -> World:
    return World(a_small_run(**spec), NEVER)


def a_training_world() -> World:
    world = a_world()
    world.reconcile()
    world.train()
    world.reconcile()
    world.reconcile()  # sees the evaluator that the last one began
    return world


def status(world: World) -> LCCPRunStatus:
    assert world.run.status is not None
    return world.run.status


def message(world: World, type_: ConditionType) -> str:
    return next(c.message for c in status(world).conditions if c.type is type_)


def seen(world: World, **more: Any) -> Observed:
    return replace(world.observed(), **more)


def test_every_condition_is_there_from_the_first_reconcile_on() -> None:
    world = a_world()
    world.reconcile()

    assert [c.type for c in status(world).conditions] == list(OF_EVERY_RUN)
    assert conditions(world.run) == {
        "Accepted": ("True", "Valid"),
        "Training": ("False", "Starting"),
        "Evaluating": ("False", "Pending"),
        "Saturated": ("Unknown", "Pending"),
        "Suspended": ("False", "NotSuspended"),
        "Degraded": ("False", "Healthy"),
        "Succeeded": ("False", "NotFinished"),
        "Failed": ("False", "NotFinished"),
    }


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Yes", ("True", "GateMet")),
        ("No", ("False", "GateNotMet")),
        ("Undecided", ("Unknown", "GateUndecided")),
    ],
)
def test_a_gate_is_answered_in_a_condition(answer: Answer, found: tuple[str, str]) -> None:
    sentence = "niah_ppl gain upper bound < 0.02"
    told = GateAnswer(sentence=sentence, answer=answer, evidence="niah_ppl gain is 0.01")

    def judge(reports: Sequence[EvaluationReport], policy: Policy) -> Verdict:
        gate = Gate(answer=answer, sentences=(told,))
        return NEVER(reports, policy).model_copy(update={"gate": gate})

    world = World(a_small_run(saturation={"gate": [sentence]}), judge)
    world.reconcile()
    assert conditions(world.run)["GatePassed"] == ("Unknown", "Pending")
    world.train()
    world.reconcile()
    world.reconcile()
    world.evaluate()
    world.reconcile()

    assert conditions(world.run)["GatePassed"] == found
    assert message(world, ConditionType.GATE_PASSED) == f"{sentence}: niah_ppl gain is 0.01"


@pytest.mark.parametrize("saturation", [{}, {"patience": 16}], ids=["possible", "never"])
def test_a_plan_that_can_never_end_saturated_is_told(saturation: dict[str, int]) -> None:
    world = World(a_small_run(saturation=saturation), NEVER)
    world.reconcile()
    if saturation:
        assert conditions(world.run)["VerdictPossible"] == ("False", "NeverSaturated")
        assert "saturation.horizonTokens of at most" in message(
            world, ConditionType.VERDICT_POSSIBLE
        )
    else:
        assert "VerdictPossible" not in conditions(world.run)


def test_a_transition_time_moves_only_when_the_status_flips() -> None:
    world = a_training_world()
    before = {c.type: c.last_transition_time for c in status(world).conditions}
    world.pass_time(100)
    world.end_training(ExitCode.INTERNAL)
    world.reconcile()

    after = {c.type: c.last_transition_time for c in status(world).conditions}
    assert {t for t in after if after[t] != before[t]} == {ConditionType.TRAINING}


def test_what_did_not_change_is_not_written() -> None:
    world = a_training_world()
    world.reconcile()
    writes = world.status_writes
    world.pass_time(5)
    world.reconcile()

    assert world.status_writes == writes


def test_progress_alone_is_written_once_in_a_while() -> None:
    world = a_training_world()
    writes = world.status_writes

    for seconds in range(10, 200, 10):
        beat = heartbeat_of(1, EVERY_TOKENS + seconds, START + timedelta(seconds=seconds))
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        world.reconcile()

    assert world.status_writes - writes == 2


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


def test_progress_does_not_fall_back_while_a_saved_state_is_loaded() -> None:
    world = a_training_world()
    assert world.trainer is not None
    world.trainer[1].tokens = EVERY_TOKENS + 4_096
    world.end_training(ExitCode.TERMINATED)
    for _ in range(4):
        world.pass_time(30)
        world.reconcile()
    beat = heartbeat_of(2, EVERY_TOKENS, world.now, phase="Starting")
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.pass_time(100)
    world.reconcile()

    assert status(world).attempt == 2
    assert status(world).progress.tokens == EVERY_TOKENS + 4_096


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


def test_a_store_that_does_not_answer_changes_nothing_but_degraded() -> None:
    world = a_training_world()
    before = conditions(world.run)
    gone = Unknown(START, "store s3://b does not answer", Reason.STORE_UNREACHABLE)

    world.reconcile(replace(world.observed(), store=gone))

    assert conditions(world.run) == before | {"Degraded": ("True", "StoreUnreachable")}
    assert message(world, ConditionType.DEGRADED) == "store s3://b does not answer"
    world.reconcile()
    assert conditions(world.run) == before


@pytest.mark.parametrize("watched", [False, True])
def test_an_outage_is_polled_for_unless_its_end_will_be_announced(watched: bool) -> None:
    world = a_training_world()
    gone = Unknown(START, "gone", Reason.STORE_UNREACHABLE, watched=watched)

    planned = plan(world.run, replace(world.observed(), store=gone), world.now)

    assert (planned.requeue_after_seconds is None) == watched


def test_a_run_that_was_never_seen_is_unknown() -> None:
    world = a_world()
    world.reconcile(replace(world.observed(), workloads=Unknown(START, "the cache is not filled")))

    found = conditions(world.run)
    assert found.pop("Degraded") == ("True", "ObservationIncomplete")
    assert set(found.values()) == {("Unknown", "ObservationIncomplete")}


def test_a_store_that_the_installation_lacks_is_named_in_accepted() -> None:
    world = a_world()
    lacking = Unknown(START, "store lab: there is none of this name", Reason.UNKNOWN_STORE)
    world.reconcile(replace(world.observed(), store=lacking))

    assert conditions(world.run)["Accepted"] == ("False", "UnknownStore")
    assert status(world).summary == "Refused"


def test_progress_has_an_eta_while_training() -> None:
    world = a_training_world()
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, tokens_per_second=100.0, loss=3.14159, step=2)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.run = world.run.model_copy(update={"status": None})
    world.reconcile()

    progress = status(world).progress
    assert (progress.tokens, progress.percent, progress.step) == (EVERY_TOKENS, 20, 2)
    assert progress.remaining_seconds == (BUDGET_TOKENS - EVERY_TOKENS) // 100 + 1
    assert progress.loss == "3.142"
    world.settle()
    assert status(world).progress.remaining_seconds is None
    assert status(world).progress.percent == 100


def test_checkpoints_show_their_evaluation_and_values() -> None:
    world = a_world()
    for _ in range(2):
        world.reconcile()
        world.train()
    world.reconcile()
    world.evaluate()
    world.reconcile()
    world.reconcile()

    assert [(c.tokens, c.evaluation) for c in status(world).checkpoints] == [
        (EVERY_TOKENS, "Succeeded"),
        (2 * EVERY_TOKENS, "Running"),
    ]
    assert status(world).latest is not None


def test_only_the_last_32_checkpoints_are_shown() -> None:
    tokens = 40 * EVERY_TOKENS
    training = {"tokens": tokens, "globalBatchTokens": 4_096, "learningRate": "1e-4"}
    world = a_world(training=training)
    world.settle(reconciles=400)

    shown = [c.tokens for c in status(world).checkpoints]
    assert shown == [n * EVERY_TOKENS for n in range(9, 41)]


def test_an_emptied_status_is_rebuilt_and_reruns_nothing() -> None:
    world = a_world()
    world.settle()
    before, started = status(world), list(world.started)
    world.events.clear()
    world.run = world.run.model_copy(update={"status": None})

    world.settle()

    times = {"conditions": (), "observed_generation": 0}
    assert status(world).model_copy(update=times) == before.model_copy(update=times)
    assert conditions(world.run) == {
        c.type.value: (c.status, c.reason.value) for c in before.conditions
    }
    assert world.started == started
    assert world.events == []


def test_the_status_survives_the_way_through_json() -> None:
    world = a_world()
    world.settle()

    again = LCCPRunStatus.parse(status(world).document(), "status")

    world.run = world.run.model_copy(update={"status": again})
    writes = world.status_writes
    world.reconcile()
    assert world.status_writes == writes


def test_the_summary_is_one_word() -> None:
    world = a_training_world()
    assert status(world).summary == "Training"
    world.run = with_spec(world.run, suspend=True)
    world.settle()
    assert status(world).summary == "Suspended"
    world.run = with_spec(world.run, suspend=False)
    world.settle()
    assert status(world).summary == "Succeeded"


def test_the_message_of_an_attempt_whose_job_is_gone_names_no_log() -> None:
    world = a_training_world()
    failed = WorkloadState(
        Phase.FAILED,
        (Pod(0, "a", Phase.FAILED, exit_code=70),),
        log="kubectl logs -n default job/tiny-train-a1",
    )
    world.reconcile(seen(world, workloads=Known({Training(1): failed})))
    assert status(world).attempts[0].message == f"failed (exit code 70; log: {failed.log})"

    world.workers.clear()
    world.pass_time()
    world.reconcile()

    assert status(world).attempts[0].message == "failed (exit code 70)"
    assert f"log: {failed.log}" in world.journal.attempts[0].message
