"""How the evaluation of a checkpoint ended, by its pods and the store."""

from dataclasses import replace

from operator_world import START, a_small_run, checkpoint_of, compact_report_of

from lccp.api.causes import Cause
from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Pinned
from lccp.api.objects.report import EvaluationFailure
from lccp_operator.facts import Facts
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import PodSet
from lccp_operator.workloads.state import EndingRule, Phase, Pod, WorkloadState

FAILURE = EvaluationFailure(
    cause=Cause.INTERNAL, message="cell 512 x 50: shape mismatch", exit_code=70, at=START
)


def ending(state: WorkloadState | None, failure: EvaluationFailure | None = None) -> Ending:
    failures = {} if failure is None else {(100, INTRINSIC): failure}
    return Evaluation(100).ending(state, Facts(failures=failures))


def test_a_failure_is_told_only_if_it_is_about_this_try() -> None:
    pods = (Pod(0, "u", Phase.FAILED, exit_code=70),)
    state = WorkloadState(Phase.FAILED, pods, log="eval.log")

    told = ending(state, FAILURE)
    stale = ending(state, FAILURE.model_copy(update={"exit_code": 69}))

    assert told.message == "cell 512 x 50: shape mismatch (exit code 70; log: eval.log)"
    assert "shape mismatch" not in stale.message


def test_without_report_it_is_a_failure_whatever_its_exit_code() -> None:
    assert ending(WorkloadState(Phase.SUCCEEDED)).counted


def test_past_its_deadline_it_is_counted() -> None:
    state = WorkloadState(Phase.FAILED, rule=EndingRule.DEADLINE)

    assert ending(state) == Ending(Cause.DEADLINE, "took longer than its deadline")


def test_it_is_done_with_a_report_of_the_very_checkpoint() -> None:
    checkpoint, another = checkpoint_of(100), checkpoint_of(200)
    facts = Facts(
        checkpoints={100: checkpoint}, reports={(100, INTRINSIC): compact_report_of(checkpoint)}
    )
    other = Facts(
        checkpoints={100: another}, reports={(100, INTRINSIC): compact_report_of(checkpoint)}
    )

    assert Evaluation(100).done(facts)
    assert not Evaluation(100).done(other)
    assert not Evaluation(200).done(facts)


SUITE = {"name": "mine", "command": ["./mine"], "deadlineSeconds": 60}


def pods_of(suite: str, *suites: dict[str, object]) -> PodSet:
    run = a_small_run(evaluation={"suites": list(suites), "deadlineSeconds": 90})
    return Evaluation(100, suite).pods(run, Pinned(evaluator_image="evaluator:1"))


def test_an_external_suite_has_pods_and_a_deadline_of_its_own() -> None:
    queued = SUITE | {"workload": {"queueName": "small"}}
    without = {"name": "other", "command": ["./other"], "image": "other:2"}

    mine, other = pods_of("mine", queued, without), pods_of("other", queued, without)

    assert (mine.spec.queue_name, mine.deadline_seconds) == ("small", 60)
    assert (other.spec.queue_name, other.deadline_seconds) == (None, 90)
    assert mine.image == other.image == "evaluator:1"
    assert mine.external is not None
    assert mine.external.image == "evaluator:1"
    assert other.external is not None
    assert other.external.image == "other:2"
    assert pods_of(INTRINSIC, queued).external is None


def test_another_program_makes_other_pods() -> None:
    changed = SUITE | {"command": ["./mine", "--shots", "5"]}

    assert pods_of("mine", SUITE).digest != pods_of("mine", changed).digest


def test_processes_are_those_of_the_probes_and_more_of_them_are_other_pods() -> None:
    run = a_small_run(evaluation={"suites": [SUITE], "processes": 4})
    pinned = Pinned(evaluator_image="evaluator:1")

    pods, mine = (Evaluation(100, suite).pods(run, pinned) for suite in (INTRINSIC, "mine"))

    assert (pods.processes, mine.processes) == (4, 1)
    assert pods.digest != replace(pods, processes=1).digest


def test_messages_name_the_fields_of_the_suite() -> None:
    assert Evaluation(100).image_field == "evaluation.image"
    assert Evaluation(100, "mine").image_field == "evaluation.suites[].image"
    assert Evaluation(100, "mine").pods_field == "evaluation.suites[].workload"
