"""Metrics of the probes' heat maps: a family for each whose axes have values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lccp.contract.signals import Scale
from lccp.probes.probe import Axis, Details, HeatMaps
from lccp.probes.registry import PROBES
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.metric import RunMetric, Samples, padded

CELLS_MAX = 200
"""Cells of a run that have a series, over all heat maps."""
ALL = "all"
"""Label of a mean over an axis."""
LABEL_DIGITS = {"tokens": 7, "percent": 3, "number": 3}
"""Labels sort as text, so their numbers have leading zeros."""


def charts() -> Iterator[tuple[str, HeatMaps]]:
    """The heat maps that have families, with their probes."""
    for name, probe in PROBES.items():
        for chart in probe.charts:
            if isinstance(chart, HeatMaps) and chart.down.values and chart.across.values:
                yield name, chart


def cell_arrays(probe: str) -> set[str]:
    """The arrays of a probe's details from which cells are made."""
    return {
        array
        for name, chart in charts()
        for array in (chart.array, chart.down.values, chart.across.values)
        if name == probe and array is not None
    }


def cells() -> Iterator[RunMetric]:
    """A metric for each heat map."""
    for name, chart in charts():
        yield RunMetric(
            f"lccp_{name}_{chart.array}",
            f"{chart.title}: {chart.unit} at the newest evaluated checkpoint; label values are "
            f"zero-padded. All grids of a run have {CELLS_MAX} cells at most: one that does not "
            f'fit is shown as means by {chart.across.name}, with {chart.down.name}="{ALL}".',
            _samples(name, chart),
            (chart.down.name, chart.across.name),
            most=CELLS_MAX,
        )


@dataclass(frozen=True)
class _Grid:
    """A heat map's array [rows, columns], and the labels of its cells."""

    values: NDArray[np.float64]
    rows: list[str]
    columns: list[str]

    @classmethod
    def of(cls, details: Details, chart: HeatMaps) -> "_Grid | None":
        """The grid of `chart`; None if the run has none."""
        down, across = chart.down.values or "", chart.across.values or ""
        if not {chart.array, down, across} <= details.keys():
            return None
        rows, columns = (
            [_label(axis, value) for value in details[name].tolist()]
            for axis, name in ((chart.down, down), (chart.across, across))
        )
        return cls(np.asarray(details[chart.array], dtype=float), rows, columns)

    @property
    def means_shown(self) -> int:
        """The number of column means that have a series."""
        return min(len(self.columns), CELLS_MAX // len(list(charts())))


def _shown_whole(facts: ExportedFacts) -> set[tuple[str, str]]:
    """Probe and array of the grids shown cell by cell: those that fit, in order."""
    given = [
        ((name, chart.array), grid)
        for name, chart in charts()
        if (grid := _Grid.of(facts.details.get(name, {}), chart)) is not None
    ]
    left = CELLS_MAX - sum(grid.means_shown for _, grid in given)
    whole = set()
    for key, grid in given:
        more = grid.values.size - grid.means_shown
        if more <= left:
            whole.add(key)
            left -= more
    return whole


def _samples(probe: str, chart: HeatMaps) -> Callable[[ExportedFacts], Samples]:
    """The chart's array by both axes, or its means if there are too many cells."""

    def samples(facts: ExportedFacts) -> Samples:
        grid = _Grid.of(facts.details.get(probe, {}), chart)
        if grid is None:
            return []
        if (probe, chart.array) not in _shown_whole(facts):
            means = zip(grid.columns, _means(grid.values, chart), strict=True)
            return [((ALL, x), mean) for x, mean in means][: grid.means_shown]
        return [
            ((y, x), float(grid.values[i, j]))
            for i, y in enumerate(grid.rows)
            for j, x in enumerate(grid.columns)
            if np.isfinite(grid.values[i, j])
        ]

    return samples


def _means(values: NDArray[np.float64], chart: HeatMaps) -> list[float]:
    """Means down the columns, on the chart's scale."""
    means: list[float]
    if chart.scale is Scale.LOG:
        means = np.exp(np.nanmean(np.log(values), axis=0)).tolist()
    else:
        means = np.nanmean(values, axis=0).tolist()
    return means


def _label(axis: Axis, value: float) -> str:
    return padded(int(value), LABEL_DIGITS[axis.text])
