"""What the embedded engine displays of a run."""

from pathlib import Path

from operator_world import (
    EVERY_TOKENS,
    START,
    a_small_run,
    compact_report_of,
    heartbeat_of,
    manifest_of,
)

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.objects.report import EvaluationProgress
from lccp.api.status import LCCPRunStatus
from lccp_operator.embedded.snapshot import Outcome, RunSnapshot, State
from lccp_operator.facts import Facts

RUN = a_small_run()


def outcome(state: State, *conditions: Condition) -> Outcome:
    status = LCCPRunStatus(conditions=conditions)
    return Outcome(state, RUN.model_copy(update={"status": status}), None, Path("runs"))


def a_condition(type_: ConditionType, message: str) -> Condition:
    return Condition(
        type=type_,
        status="True",
        reason=Reason.NOT_FINITE,
        message=message,
        last_transition_time=START,
        observed_generation=1,
    )


def test_an_evaluation_with_a_report_is_no_longer_evaluating() -> None:
    progress = EvaluationProgress(done=3, total=9, at=START)
    done, going = (EVERY_TOKENS, "intrinsic"), (2 * EVERY_TOKENS, "intrinsic")
    report = compact_report_of(manifest_of(EVERY_TOKENS))
    facts = Facts(progress={done: progress, going: progress}, reports={done: report})

    assert RunSnapshot(START, RUN, facts).evaluating == {going: progress}


def test_an_end_is_told_by_the_condition_of_its_name() -> None:
    failed = outcome(
        "Failed",
        a_condition(ConditionType.SUCCEEDED, "the training goes on"),
        a_condition(ConditionType.FAILED, "lower the learning rate"),
    )

    assert failed.message == "lower the learning rate"
    assert set(failed.conditions) == {ConditionType.SUCCEEDED, ConditionType.FAILED}


def test_what_was_interrupted_says_how_it_goes_on() -> None:
    interrupted = Outcome("Interrupted", RUN, None, Path("runs"))

    assert interrupted.conditions == {}
    assert "the same command resumes" in interrupted.message


def test_a_heartbeat_is_that_of_the_newest_attempt() -> None:
    beats = {attempt: heartbeat_of(attempt, EVERY_TOKENS, START) for attempt in (1, 2)}

    assert RunSnapshot(START, RUN, Facts(heartbeats=beats)).heartbeat == beats[2]
    assert RunSnapshot(START, RUN, Facts()).heartbeat is None
