import io
from pathlib import Path
from typing import Any

import pytest
from reports import a_report
from rich.console import Console

from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import Conflict, InvalidInput
from lccp_cli.series import conclude, evaluate_all, verdict_over
from lccp_evaluator.progress import Done, Progress
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.tokens import Trained

CHECKPOINTS = [CheckpointDirectory(Path(f"step-{n}"), Trained(n)) for n in (1, 2, 3)]


class Reports:
    """Stands for the evaluations of a series."""

    def __init__(self, taken: int = 0, changing: int = 0) -> None:
        self.taken, self.changing = taken, changing
        self.evaluated: list[int] = []

    def report(self, checkpoint: CheckpointDirectory) -> EvaluationReport | None:
        if checkpoint.tokens == self.taken:
            raise InvalidInput("holds the report of another")
        return None

    def evaluate(
        self, checkpoint: CheckpointDirectory, progress: Progress, _announce: Any
    ) -> EvaluationReport:
        self.evaluated.append(checkpoint.tokens)
        progress(Done(1, 1, 1.0))
        if checkpoint.tokens == self.changing:
            raise Conflict("step-2: was changed while it was evaluated")
        return a_report(checkpoint.tokens, nll=0.5)


def test_a_series_goes_on_after_a_checkpoint_that_changes() -> None:
    series, output = Reports(changing=2), io.StringIO()
    assert evaluate_all(Console(file=output, width=200), series, CHECKPOINTS) == 1
    assert series.evaluated == [1, 2, 3]
    assert "failed: step-2: was changed while it was evaluated" in output.getvalue()


def test_a_checkpoint_that_another_command_measured_meanwhile_is_not_measured_again() -> None:
    class Shared(Reports):
        def report(self, checkpoint: CheckpointDirectory) -> EvaluationReport | None:
            is_measured = checkpoint.tokens == 2 and self.evaluated == [1]
            return a_report(2, nll=0.5) if is_measured else None

    series, output = Shared(), io.StringIO()
    assert evaluate_all(Console(file=output, width=200), series, CHECKPOINTS) == 0
    assert series.evaluated == [1, 3]
    assert "step-2, 2 tokens: evaluated meanwhile by another command" in output.getvalue()


def test_tokens_that_are_taken_are_told_before_anything_is_measured() -> None:
    series = Reports(taken=3)
    with pytest.raises(InvalidInput, match="holds the report of another"):
        evaluate_all(Console(file=io.StringIO()), series, CHECKPOINTS)
    assert series.evaluated == []


def test_a_horizon_below_a_step_ends_no_watch() -> None:
    """How long a step is shows only once checkpoints are measured."""
    reports = [a_report(n * 4_096, nll=0.5).model_copy(update={"step": n}) for n in (1, 2)]
    for known in (reports[:0], reports):
        verdict_over(known, horizon_tokens="25")
    assert "shorter than a step" in " ".join(verdict_over(reports, horizon_tokens="25").evidence)


def test_the_verdict_is_told_even_if_its_page_has_no_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = a_report(1_000, nll=0.5)
    (tmp_path / "report.json").write_text(report.model_dump_json(by_alias=True))
    (tmp_path / "report.html").mkdir()

    with pytest.raises(InvalidInput, match=r"report.html"):
        conclude(Console(file=io.StringIO()), tmp_path)
    assert "Undetermined" in capsys.readouterr().out
