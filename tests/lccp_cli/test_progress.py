"""The cost and progress of an evaluation, with and without a terminal."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lccp_cli.measuring import Measuring
from lccp_cli.progress import cost_text, dry_run, progress_of
from lccp_evaluator.estimate import EvaluationCost
from lccp_evaluator.model.execution import Execution
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained


def test_without_a_terminal_progress_is_told_seldom_and_at_the_end() -> None:
    console = Console(file=StringIO(), width=80)
    with progress_of(console, "final") as show:
        for done in range(1, 101):
            show(Done(done, 100, done / 100))

    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "final: 1 of 100 samples",
        "final: 100 of 100 samples",
    ]


def test_on_a_terminal_progress_is_a_bar() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=True)
    with progress_of(console) as show:
        show(Done(3, 4, 0.5))

    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "50%" in written
    assert "3 of 4 samples" in written


def test_the_cost_is_a_line_with_the_seconds_of_this_machine_or_another() -> None:
    cost = EvaluationCost(72, 63_000, 22, 12_600, 3.4e12, 90.0, 2**30, 2**20, rough=False)
    assert cost_text(cost) == (
        "72 samples of 63,000 tokens: 22 passes compute 12,600 of them (20 %), 3.4 TFLOP; about "
        "1 min 30 s, 1 GiB of memory, 1 MiB on disk"
    )
    assert "; about 5.0 s, 1 GiB" in cost_text(cost, 5.0)


def test_seconds_without_a_trial_are_said_to_be_rough() -> None:
    cost = EvaluationCost(72, 63_000, 22, 12_600, 3.4e12, 90.0, 2**30, 2**20, rough=True)
    assert "; roughly 1 min 30 s, 1 GiB" in cost_text(cost)
    assert "; about 5.0 s, 1 GiB" in cost_text(cost, 5.0)


def test_on_another_device_its_own_passes_count_and_nothing_that_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, Execution]] = []

    class Asked:
        def __init__(self, out: Path, settings: SeriesSettings) -> None:
            asked.append((out, settings.execution))

        def estimate(
            self, _checkpoint: CheckpointDirectory, _seconds: float | None
        ) -> EvaluationCost:
            return EvaluationCost(72, 63_000, 22, 12_600, 3.4e12, 90.0, 2**30, 2**20, rough=True)

    monkeypatch.setattr("lccp_evaluator.series.series.EvaluationSeries", Asked)
    model = CheckpointDirectory(tmp_path / "model", Trained(0))
    dry_run([model], tmp_path, Measuring(), "H100")
    dry_run([model], tmp_path, Measuring(dtype="float32", batch_size=100), "H100")
    dry_run([model], tmp_path, Measuring(), None)

    (first, other, here) = asked
    assert tmp_path not in (first[0], other[0])
    assert first[1] == Execution(dtype="bfloat16", step_tokens=8_192)
    assert other[1] == Execution(dtype="float32", step_tokens=100)
    assert here == (tmp_path, Execution())
