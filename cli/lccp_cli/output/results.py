"""The results of an evaluation, on the terminal."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.table import Table

from lccp.api.objects.report import EvaluationReport
from lccp.contract.signals import Scale
from lccp.probes.probe import Details, HeatMaps
from lccp.probes.registry import PROBES
from lccp.report.details import details_of
from lccp.report.figures.arrays import labels
from lccp.report.text import value_text
from lccp_cli.output.console import table_of


def result_lines(report: EvaluationReport, folder: Path) -> Iterator[str | Table]:
    """The signals, then the probes' maps over lengths, from the details in `folder`."""
    yield _signals(report)
    for name in report.probes:
        details = details_of(report, name, lambda _, file: (folder / file).read_bytes())
        for chart in PROBES[name].charts:
            if details is not None and isinstance(chart, HeatMaps) and chart.across.values:
                yield f"\n{chart.title}: means by {chart.across.title}"
                yield _means(chart, details)
    if report.notes:
        yield "\n" + "\n".join(report.notes)


def _signals(report: EvaluationReport) -> Table:
    table = table_of("signal", "value", "95 % interval", "samples")
    for signal in report.signals():
        ends = [value_text(end, signal.unit) for end in signal.interval or ()]
        value = value_text(signal.value, signal.unit)
        table.add_row(signal.title, value, " to ".join(ends), f"{signal.n:,}")
    return table


def _means(chart: HeatMaps, details: Details) -> Table:
    """Column means of the chart's array, on its scale.

    A cell without samples is left out.
    """
    values, log = np.asarray(details[chart.array], dtype=float), chart.scale is Scale.LOG
    means = np.nanmean(np.log(values) if log else values, axis=0)
    means = np.exp(means) if log else means
    table = table_of(chart.across.title, chart.unit)
    for label, mean in zip(labels(chart.across, details) or [], means.tolist(), strict=True):
        table.add_row(label, value_text(mean, chart.unit))
    return table
