"""Directories measured as by `lccp evaluate`, on few short samples."""

from pathlib import Path
from typing import Any

from lccp.api.objects.report import EvaluationReport
from lccp.api.spec.probes import ProbesSpec
from lccp_evaluator.progress import Progress
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained

NIAH = {"lengths": [200, 300], "depthsPercent": [0, 50], "haystacks": 2, "needlesPerHaystack": 2}
NIAH_ALONE = {"bio": {"enabled": False}, "retrievalHeads": {"enabled": False}}


def few(**niah: Any) -> ProbesSpec:
    """The probe niah alone, in four cells."""
    return ProbesSpec.parse({"niah": NIAH | niah} | NIAH_ALONE, "probes")


def measured(
    model: Path,
    out: Path,
    probes: ProbesSpec,
    source_context: int | None = None,
    tokens: int = 0,
    progress: Progress = lambda *_: None,
) -> EvaluationReport:
    """The report of `model`, which also lies in `out`; AssertionError if there is none."""
    series = EvaluationSeries(out, SeriesSettings(probes, source_context))
    report = series.evaluate(CheckpointDirectory(model, Trained(tokens)), progress)
    assert isinstance(report, EvaluationReport), report.message
    return report
