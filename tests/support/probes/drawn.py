"""The data for figures: the signals and details of the run that never was."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import a_run

from lccp.api.objects.report import EvaluationReport
from lccp.report.figures.arrays import Measured
from lccp.report.figures.course import SignalLine

REPORTS = a_run.reports()


def lines(reports: Sequence[EvaluationReport] = REPORTS) -> dict[str, SignalLine]:
    """Every signal of the reports, by name."""
    found: dict[str, SignalLine] = {}
    for report in reports:
        for signal in report.signals():
            line = found.setdefault(signal.name, SignalLine(signal, {}))
            points = {**line.points, report.tokens: (signal.value, signal.interval)}
            found[signal.name] = replace(line, points=points)
    return found


def values(name: str) -> list[float]:
    """Values of a signal, oldest first."""
    return [value for value, _ in lines()[name].points.values()]


def measured(probe: str, reports: Sequence[EvaluationReport] = REPORTS) -> Measured:
    """The reports with the probe's details."""
    return [(report, a_run.details(report.tokens)[probe]) for report in reports]


def trace(figure: Any, name: str) -> Any:
    """The one trace of that name."""
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found
