import io
from dataclasses import replace
from typing import Any

import a_run
import pytest
from rich.console import Console, ConsoleDimensions

from lccp.api.causes import Cause
from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import AttemptRecord, EvaluationOutcome, Journal
from lccp.api.objects.report import EvaluationProgress
from lccp.api.status import LCCPRunStatus
from lccp_cli.live.run import PlainRunView, panel
from lccp_operator.embedded import RunSnapshot
from lccp_operator.facts import Facts
from lccp_operator.intents import Event, EventReason

pytestmark = pytest.mark.slow

AT = a_run.CHECKPOINTS[8]
NEXT, AFTER = a_run.CHECKPOINTS[9], a_run.CHECKPOINTS[10]


def a_snapshot(events: tuple[Event, ...] = (), ending: bool = False, **facts: Any) -> RunSnapshot:
    """The run after its ninth checkpoint, two more waiting for their evaluation."""
    reports = a_run.reports(a_run.CHECKPOINTS[:9])
    known: dict[str, Any] = {
        "heartbeats": {1: a_run.heartbeat(AFTER)},
        "checkpoints": dict.fromkeys((*(r.tokens for r in reports), NEXT, AFTER)),
        "reports": {(report.tokens, INTRINSIC): report for report in reports},
        "progress": {
            (NEXT, INTRINSIC): EvaluationProgress(
                done=120, total=480, remaining_seconds=3.0, at=a_run.START
            )
        },
        **facts,
    }
    return RunSnapshot(
        a_run.START, a_run.run(), Facts(**known), a_run.verdict(reports), events, ending
    )


def shown(snapshot: RunSnapshot, height: int = 40) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with console.capture() as capture:
        size = ConsoleDimensions(120, height)
        console.print(panel(snapshot, "[2/4] training and evaluation", 72.0, size))
    return capture.get()


def test_the_panel_shows_progress_and_a_row_for_each_checkpoint() -> None:
    text = shown(a_snapshot())
    assert "1.02 M of 3.28 M tokens, 31 %, loss 3.120, 17 K tokens/s" in text
    assert "at most 2 min 13 s left" in text
    for report in a_run.reports(a_run.CHECKPOINTS[:9]):
        ppl = report.signal("niah_ppl")
        assert ppl is not None
        assert f"{ppl.value:.4f}" in text
    assert "deceptively saturated" in text
    assert "evaluating: 25 %, 3.0 s left" in text
    assert "waiting for evaluation" in text


def test_a_training_that_ended_early_has_no_time_left() -> None:
    beat = a_run.heartbeat(AFTER).model_copy(update={"phase": "Ending"})
    text = shown(a_snapshot(heartbeats={1: beat}))
    assert "1.02 M of 3.28 M tokens" in text
    assert "at most" not in text


@pytest.mark.parametrize("height", [15, 24, 50])
def test_the_panel_fits_the_terminal(height: int) -> None:
    lines = shown(a_snapshot(), height).splitlines()
    assert len(lines) <= height
    assert any("819 K" in line for line in lines)


def test_the_panel_says_what_went_wrong_and_that_it_is_stopping() -> None:
    failed = AttemptRecord(
        number=1, started_at=a_run.START, cause=Cause.HANG, counted=True, message="made no step"
    )
    outcome = EvaluationOutcome(checkpoint_digest="0", result="Failed", message="out of memory")
    journal = Journal(attempts=(failed,), evaluations={f"{NEXT:015d}/intrinsic": outcome})
    text = shown(a_snapshot(ending=True, journal=journal))
    assert "attempt 1 made no step" in text
    assert "evaluation failed: out of memory" in text
    assert "Stopping: the trainer saves its state" in text


REFUSED = "store s3://lccp: refuses these credentials"


def a_refusal() -> RunSnapshot:
    degraded = Condition(
        type=ConditionType.DEGRADED,
        status="True",
        reason=Reason.STORE_UNREACHABLE,
        message=REFUSED,
        last_transition_time=a_run.START,
    )
    status = LCCPRunStatus(conditions=(degraded,))
    run = a_run.run().model_copy(update={"status": status})
    return replace(a_snapshot(), run=run)


def test_the_panel_says_that_the_store_cannot_be_used() -> None:
    assert REFUSED not in shown(a_snapshot())
    assert REFUSED in shown(a_refusal())


def test_before_the_first_step_there_is_no_progress() -> None:
    snapshot = RunSnapshot(a_run.START, a_run.run(), Facts())
    assert "starting the trainer" in shown(snapshot)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def plain() -> tuple[PlainRunView, Clock, io.StringIO]:
    output, clock = io.StringIO(), Clock()
    console = Console(file=output, width=200, soft_wrap=True)
    return PlainRunView(console, "[2/4] training", clock), clock, output


def test_without_a_terminal_a_store_that_cannot_be_used_is_told_once_and_when_it_can_be_again(
    plain: tuple[PlainRunView, Clock, io.StringIO],
) -> None:
    view, _, output = plain
    for snapshot in (a_snapshot(), a_refusal(), a_refusal(), a_snapshot(), a_snapshot()):
        view(snapshot)

    assert output.getvalue().count(REFUSED) == 1
    assert output.getvalue().count("the store can be used again") == 1


def test_without_a_terminal_each_thing_is_told_once(
    plain: tuple[PlainRunView, Clock, io.StringIO],
) -> None:
    view, clock, output = plain
    event = Event("Normal", EventReason.ATTEMPT_STARTED, "attempt 1 starts", a_run.START)
    view(RunSnapshot(a_run.START, a_run.run(), Facts(), events=(event,)))
    clock.now = 65.0
    view(a_snapshot())
    view(a_snapshot())
    lines = output.getvalue().splitlines()
    assert lines[:2] == ["[2/4] training", "00:00  attempt 1 starts"]
    assert sum("checkpoint 0:" in line for line in lines) == 1
    assert sum("tokens/s" in line for line in lines) == 1
    assert lines[-1].startswith("01:05  1.02 M of 3.28 M tokens")


def test_progress_is_told_every_half_minute_at_most(
    plain: tuple[PlainRunView, Clock, io.StringIO],
) -> None:
    view, clock, output = plain
    for second in range(0, 70, 5):
        clock.now = float(second)
        view(a_snapshot(heartbeats={1: a_run.heartbeat(1_000_000 + 10_000 * second)}))
    told = [line[:5] for line in output.getvalue().splitlines() if "tokens/s" in line]
    assert told == ["00:00", "00:30", "01:00"]
