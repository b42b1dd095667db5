"""The conditions of a run: what holds, and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from operator_world import (
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
from training_world import a_training_world, a_world, message, status

from lccp.api.conditions import OF_EVERY_RUN, ConditionType, Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Answer, Gate, GateAnswer, Verdict
from lccp_operator.observed import Known, Unknown
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training


def test_every_condition_is_there_from_the_first_reconcile_on() -> None:
    world = a_world()
    world.reconcile()

    assert [c.type for c in status(world).conditions] == list(OF_EVERY_RUN)
    assert message(world, ConditionType.ACCEPTED) == "the run is accepted"
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


@pytest.mark.parametrize("saturation", [{}, {"patience": 9}], ids=["possible", "never"])
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


def test_a_transition_time_in_the_future_is_no_transition_that_was_seen() -> None:
    """Somebody wrote it, or the API server's clock was set back."""
    world = a_training_world()
    forged = [
        c.model_copy(update={"last_transition_time": world.now + timedelta(days=999)})
        for c in status(world).conditions
    ]
    told = status(world).model_copy(update={"conditions": tuple(forged)})
    world.run = world.run.model_copy(update={"status": told})

    world.reconcile()

    assert {c.last_transition_time for c in status(world).conditions} == {world.now}


def test_a_store_that_does_not_answer_changes_nothing_but_degraded() -> None:
    world = a_training_world()
    before = conditions(world.run)
    gone = Unknown(START, "store s3://b does not answer", Reason.STORE_UNREACHABLE)

    world.reconcile(replace(world.observed(), store=gone))

    assert conditions(world.run) == before | {"Degraded": ("True", "StoreUnreachable")}
    assert message(world, ConditionType.DEGRADED) == "store s3://b does not answer"
    world.reconcile()
    assert conditions(world.run) == before


def test_what_a_trainer_says_hampers_it_is_told_until_it_is_over() -> None:
    world = a_training_world()
    said = "store s3://lccp does not answer: connection refused"
    for problem, degraded in ((said, "True"), (None, "False")):
        beat = heartbeat_of(1, EVERY_TOKENS, world.now, problem=problem)
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
        world.reconcile()
        assert conditions(world.run)["Degraded"][0] == degraded
        assert (said in message(world, ConditionType.DEGRADED)) == (problem is not None)


def test_a_node_that_does_not_answer_is_named_while_a_gang_has_a_pod_there() -> None:
    world = a_training_world()
    pods = (Pod(0, "a", Phase.RUNNING, silent_node="node-3"), Pod(1, "b", Phase.RUNNING))
    gang = WorkloadState(Phase.RUNNING, pods, pods_expected=2)
    world.reconcile(replace(world.observed(), workloads=Known({Training(1): gang})))

    assert conditions(world.run)["Degraded"] == ("True", "ObservationIncomplete")
    assert message(world, ConditionType.DEGRADED).startswith("node node-3 does not answer, so")
    assert conditions(world.run)["Training"][0] == "True"
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


def test_a_source_that_repeats_too_often_is_told_until_more_is_allowed() -> None:
    world = a_training_world()
    epochs = {"long": 4.25, "short": 4.0}
    beat = heartbeat_of(1, EVERY_TOKENS, world.now, epochs=epochs)
    world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    world.reconcile()

    assert conditions(world.run)["Degraded"] == ("True", "DataRepeats")
    told = message(world, ConditionType.DEGRADED)
    assert told.startswith("source long was read 4.25 times, and data.maxEpochs is 4: ")
    assert "short" not in told

    allowed = world.run.spec.data.model_copy(update={"max_epochs": 5.0})
    world.run = with_spec(world.run, data=allowed)
    world.reconcile()
    assert conditions(world.run)["Degraded"] == ("False", "Healthy")


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
