import io
from pathlib import Path

import pytest
from reports import a_report
from rich.console import Console

from lccp_cli.live.folder import PlainFolderView, panel
from lccp_cli.series import verdict_over
from lccp_evaluator.series.view import Unmeasured, View

REPORTS = tuple(a_report(1_000 * n, nll=0.5 - 0.01 * n) for n in range(1, 31))


def a_view(reports: int, *notes: str) -> View:
    rows = [
        Unmeasured(Path(f"step-{n}"), 40_000 + n, "Waiting", note) for n, note in enumerate(notes)
    ]
    return View(REPORTS[:reports], tuple(rows))


def shown(view: View, height: int) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    verdict = verdict_over(view.reports) if view.reports else None
    with console.capture() as capture:
        console.print(panel(view, verdict, "watching checkpoints", 72.0, height))
    return capture.get()


@pytest.mark.slow
@pytest.mark.parametrize("height", [15, 24, 50])
def test_the_panel_shows_the_newest_checkpoints_in_the_height_there_is(height: int) -> None:
    text = shown(a_view(30, *["waiting for evaluation"] * 20), height)
    assert len(text.splitlines()) <= height
    assert "watching checkpoints  1 min 12 s" in text
    assert " 30 K " in text
    assert "step-19: waiting for evaluation" in text


def test_before_the_first_checkpoint_there_is_none() -> None:
    assert "no checkpoint yet" in shown(a_view(0), 20)


def test_without_a_terminal_each_change_is_told_once() -> None:
    output, judged = io.StringIO(), []

    def judge(reports):
        judged.append(len(reports))
        return verdict_over(reports)

    view = PlainFolderView(Console(file=output, width=200), "watching", judge)
    nothing = a_view(0)
    for seen in (
        nothing,
        nothing,
        a_view(0, "waiting"),
        a_view(1, "waiting"),
        a_view(1, "waiting"),
        a_view(2),
    ):
        view(seen)
    lines = output.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "watching",
        "no checkpoint yet",
        "step-0",
        "checkpoint 1 K",
        "checkpoint 2 K",
    ]
    assert judged == [1, 2]


def test_without_a_terminal_progress_is_told_every_15_seconds() -> None:
    output, now = io.StringIO(), 0.0
    view = PlainFolderView(Console(file=output, width=200), "watching", verdict_over, lambda: now)
    waiting = a_view(0, "waiting for evaluation")
    for samples in range(8):
        note = f"evaluating: {samples} of 8 samples"
        view(waiting.with_state(Path("step-0"), "Evaluating", note))
        now += 5
    assert output.getvalue().splitlines()[1:] == [
        f"step-0: evaluating: {samples} of 8 samples" for samples in (0, 3, 6)
    ]
