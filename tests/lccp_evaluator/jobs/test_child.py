"""What a process that measures a checkpoint answers."""

from multiprocessing.connection import Pipe
from pathlib import Path

import pytest
from measured import few
from tiny_checkpoints import a_checkpoint

from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import InvalidInput
from lccp_evaluator.estimate import EvaluationCost
from lccp_evaluator.jobs.child import MeasuringOrder, serve
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained
from lccp_evaluator.spread.orders import Failed


def answers(model: Path, out: Path) -> list[object]:
    ours, theirs = Pipe()
    ours.send(MeasuringOrder(CheckpointDirectory(model, Trained(1)), SeriesSettings(few()), out))
    serve(theirs)
    theirs.close()
    said = []
    while ours.poll():
        try:
            said.append(ours.recv())
        except EOFError:
            break
    return said


@pytest.mark.slow
def test_it_tells_cost_and_progress_and_in_the_end_the_report(tmp_path: Path) -> None:
    cost, *progress, report = answers(a_checkpoint(tmp_path / "model"), tmp_path / "out")

    assert isinstance(cost, EvaluationCost)
    assert {type(one) for one in progress} == {Done}
    assert isinstance(report, EvaluationReport)


def test_what_ends_it_without_a_report_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")

    (said,) = answers(tmp_path / "model", tmp_path / "out")
    assert isinstance(said, Failed)
    assert isinstance(said.error, InvalidInput)
