"""Metrics of the probes' heat maps: a family for each whose axes have values."""

from collections.abc import Callable, Iterator

import numpy as np

from lccp.contract.signals import Scale
from lccp.probes.probe import Axis, HeatMaps
from lccp.probes.registry import PROBES
from lccp_exporter.facts import RunFacts
from lccp_exporter.metrics.metric import RunMetric, Samples, padded

CELLS_MAX = 200
"""Cells of a run that have a series, over all heat maps."""
ALL = "all"
"""Label of what is a mean over an axis."""
LABEL_DIGITS = {"tokens": 7, "percent": 3, "number": 3}
"""Labels sort as text, so their numbers have leading zeros."""


def charts() -> Iterator[tuple[str, HeatMaps]]:
    """The heat maps that have families, with their probes."""
    for name, probe in PROBES.items():
        for chart in probe.charts:
            if isinstance(chart, HeatMaps) and chart.down.values and chart.across.values:
                yield name, chart


def cell_arrays(probe: str) -> set[str]:
    """The arrays of a probe's details that cells are made of."""
    return {
        array
        for name, chart in charts()
        for array in (chart.array, chart.down.values, chart.across.values)
        if name == probe and array is not None
    }


def cells() -> Iterator[RunMetric]:
    """A metric for each heat map."""
    found = list(charts())
    most = CELLS_MAX // max(1, len(found))
    for name, chart in found:
        yield RunMetric(
            f"lccp_{name}_{chart.array}",
            f"{chart.title}: {chart.unit} at the newest evaluated checkpoint; label values are "
            f"zero-padded. A grid of more than {most} cells is shown as means by "
            f'{chart.across.name}, with {chart.down.name}="{ALL}".',
            _samples(name, chart, most),
            (chart.down.name, chart.across.name),
            most=most,
        )


def _samples(probe: str, chart: HeatMaps, most: int) -> Callable[[RunFacts], Samples]:
    """The chart's array by both axes, or its means where there are more than `most` cells."""
    down, across = chart.down.values or "", chart.across.values or ""

    def samples(facts: RunFacts) -> Samples:
        details = facts.details.get(probe, {})
        if not {chart.array, down, across} <= details.keys():
            return []
        values = np.asarray(details[chart.array], dtype=float)
        columns = [_label(chart.across, x) for x in details[across].tolist()]
        if values.size > most:
            return [((ALL, x), v) for x, v in zip(columns, _means(values, chart), strict=True)][
                :most
            ]
        rows = [_label(chart.down, y) for y in details[down].tolist()]
        return [
            ((y, x), float(values[i, j]))
            for i, y in enumerate(rows)
            for j, x in enumerate(columns)
            if np.isfinite(values[i, j])
        ]

    return samples


def _means(
    values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", chart: HeatMaps
) -> list[float]:
    """Means down the columns, on the chart's scale."""
    means: list[float]
    if chart.scale is Scale.LOG:
        means = np.exp(np.nanmean(np.log(values), axis=0)).tolist()
    else:
        means = np.nanmean(values, axis=0).tolist()
    return means


def _label(axis: Axis, value: float) -> str:
    return padded(int(value), LABEL_DIGITS[axis.text])
