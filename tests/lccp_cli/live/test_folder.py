import io
import re
import time
from pathlib import Path

import pytest
from reports import a_report
from rich.console import Console, ConsoleDimensions

from lccp_cli.live.folder import PlainFolderView, panel, watching
from lccp_cli.series import verdict_over
from lccp_evaluator.series.view import Unmeasured, View

REPORTS = tuple(a_report(1_000 * n, nll=0.5 - 0.01 * n) for n in range(1, 31))


def a_view(reports: int, *notes: str) -> View:
    rows = [
        Unmeasured(Path(f"step-{n}"), 40_000 + n, "Waiting", note) for n, note in enumerate(notes)
    ]
    return View(REPORTS[:reports], tuple(rows))


def shown(view: View, height: int, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    verdict = verdict_over(view.reports) if view.reports else None
    with console.capture() as capture:
        size = ConsoleDimensions(width, height)
        console.print(panel(view, verdict, "watching checkpoints", 72.0, size))
    return capture.get()


@pytest.mark.slow
@pytest.mark.parametrize("height", [15, 24, 50])
def test_the_panel_shows_the_newest_checkpoints_in_the_height_there_is(height: int) -> None:
    text = shown(a_view(30, *["waiting for evaluation"] * 20), height)
    assert len(text.splitlines()) <= height
    assert "watching checkpoints  1 min 12 s" in text
    assert " 30 K " in text
    assert "step-19: waiting for evaluation" in text


@pytest.mark.slow
def test_a_panel_of_80_columns_shows_every_value_and_note_whole() -> None:
    failed = (
        "failed: model.safetensors: holds 600,000 of the 1,257,208 bytes that its header states"
    )
    text = shown(a_view(30, failed, "evaluating: 24 of 80 samples"), 24, width=80)

    assert "…" not in text
    assert " 30 K " in text
    assert max(map(len, text.splitlines())) <= 80
    assert "step-1: evaluating: 24 of 80 samples" in text
    assert "that its header states" in " ".join(text.split())


def test_before_the_first_checkpoint_there_is_none() -> None:
    assert "no checkpoint yet" in shown(a_view(0), 20)


def test_the_watch_tells_its_time_between_two_looks_at_the_folder() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with watching(console, "watching checkpoints", verdict_over) as show:
        show(a_view(0))
        time.sleep(1.5)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    times = re.findall(r"watching checkpoints  ([0-9.]+) (m?s)", text)
    assert max(float(count) for count, unit in times if unit == "s") >= 1


def test_at_the_end_only_checkpoints_without_a_report_are_left() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with watching(console, "watching checkpoints", verdict_over) as show:
        show(a_view(3, "failed: it is damaged"))
    last = console.file.getvalue().rpartition("\x1b[2K")[2]  # type: ignore[attr-defined]
    assert last.split() == ["40", "K", "step-0:", "failed:", "it", "is", "damaged", "\x1b[?25h"]


def test_without_a_terminal_a_second_failure_is_told_too() -> None:
    output = io.StringIO()
    view = PlainFolderView(Console(file=output, width=200), "watching", verdict_over)
    waiting = a_view(0, "waiting")
    for state, note in (("Failed", "A"), ("Waiting", "anew"), ("Failed", "B"), ("Failed", "B")):
        view(waiting.with_state(Path("step-0"), state, note))
    assert output.getvalue().splitlines()[1:] == ["step-0: A", "step-0: anew", "step-0: B"]


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


def test_without_a_terminal_a_report_that_does_not_count_is_told_once() -> None:
    first, copy = REPORTS[:2]
    same = copy.model_copy(update={"checkpoint_digest": first.checkpoint_digest})
    output = io.StringIO()
    view = PlainFolderView(Console(file=output, width=500), "watching", verdict_over)
    for _ in range(2):
        view(View((first, same), ()))
    assert output.getvalue().count("checkpoint 2 K: left out: report at 2,000 tokens") == 1


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
