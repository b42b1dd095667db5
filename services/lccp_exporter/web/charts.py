"""Geometry of the page's charts: curves against tokens, and grids of coloured cells."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lccp.contract.signals import Scale, Signal
from lccp.probes.probe import Axis, Details, HeatMaps
from lccp.report.states import VerdictPhase
from lccp.report.text import length_text, tokens_text, value_text

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 30
TICKS = 5
COLOURS = 16
"""Steps of the colour scale; the style sheet has a class for each."""
Values = Mapping[int, float]
"""By tokens."""


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """A signal's line in the picture."""

    title: str
    points: Sequence[tuple[float, float]]
    newest: str

    @property
    def path(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True)
class Stretch:
    """A range of tokens with one verdict, shaded behind the curves."""

    state: str
    x: float
    width: float


@dataclass(frozen=True)
class Chart:
    """Signals of one unit against tokens."""

    title: str
    unit: str
    curves: Sequence[Curve]
    stretches: Sequence[Stretch]
    across: Sequence[Tick]
    up: Sequence[Tick]

    @property
    def summary(self) -> str:
        """The text for screen readers."""
        ends = "; ".join(f"{curve.title} is {curve.newest}" for curve in self.curves)
        return f"{self.title} against tokens. At the newest checkpoint {ends}."

    @classmethod
    def of(cls, signals: Mapping[Signal, Values], phases: Sequence[VerdictPhase]) -> Self:
        """The chart of `signals`, which share a unit and a scale; each has at least one value."""
        first = next(iter(signals))
        tokens = [t for values in signals.values() for t in values]
        across = Scaling(0, max(*tokens, 1), LEFT, WIDTH - RIGHT)
        known = [v for values in signals.values() for v in values.values()]
        up = Scaling.around(known, HEIGHT - BOTTOM, TOP, first.scale is Scale.LOG)
        curves = [
            Curve(
                signal.title,
                [(across(t), up(v)) for t, v in sorted(values.items())],
                value_text(values[max(values)], signal.unit),
            )
            for signal, values in signals.items()
        ]
        return cls(
            " and ".join(signal.title for signal in signals),
            first.unit + (", log scale" if first.scale is Scale.LOG else ""),
            curves,
            [Stretch(p.state, across(p.start), across(p.end) - across(p.start)) for p in phases],
            [Tick(across(t), tokens_text(t)) for t in across.ticks()],
            [Tick(up(v), f"{v:.3g}") for v in up.ticks()],
        )


@dataclass(frozen=True)
class Scaling:
    """The mapping of values to coordinates of the picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float, log: bool) -> Self:
        """A scaling with a margin on both sides of the values."""
        low, high = min(values), max(values)
        if log:
            margin = (high / low) ** 0.06 if high > low else 1.05
            return cls(low / margin, high * margin, start, end, True)
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        return cls(low - margin, high + margin, start, end)

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values within the range; at equal ratios if a logarithmic scale is wide."""
        if self.log and self.high > 10 * self.low:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [10.0**decade for decade in decades]
        else:
            step = _round_step((self.high - self.low) / TICKS)
            first = math.ceil(self.low / step)
            values = [n * step for n in range(first, first + 2 * TICKS + 2)]
        return [value for value in values if self.low <= value <= self.high]


def _round_step(step: float) -> float:
    """The next step of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999)


@dataclass(frozen=True)
class HeatmapCell:
    colour: int | None
    """0 to COLOURS - 1; None: a cell without a value."""
    text: str
    name: str
    """Its place and value, for a tooltip."""


@dataclass(frozen=True)
class Heatmap:
    """A heat map of one checkpoint."""

    down: str
    across: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatmapCell]]]
    divider: int
    """Column before which a line separates the source context from longer ones; 0: none."""

    @classmethod
    def of(
        cls, chart: HeatMaps, details: Details, colours: tuple[float, float], source_length: int
    ) -> Self:
        """The chart's array; `colours` are the values at the scale's ends, for all checkpoints."""
        low, high = colours
        values = np.asarray(details[chart.array], dtype=float)
        heads = _labels(chart.across, details, values.shape[1])
        rows = _labels(chart.down, details, values.shape[0])
        scaling = Scaling(low, max(high, low * (1 + 1e-9) + 1e-12), 0, COLOURS, _is_log(chart, low))
        return cls(
            chart.down.title,
            chart.across.title,
            heads,
            [
                (row, _cells(chart, scaling, row, zip(heads, line, strict=True)))
                for row, line in zip(rows, values.tolist(), strict=True)
            ],
            _divider(chart, details, source_length),
        )


def bounds(arrays: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """The smallest and the largest of all values; a cell without a value has none."""
    return min(float(np.nanmin(a)) for a in arrays), max(float(np.nanmax(a)) for a in arrays)


def _divider(chart: HeatMaps, details: Details, source_length: int) -> int:
    if not chart.divided or chart.across.values is None:
        return 0
    return int(np.count_nonzero(np.asarray(details[chart.across.values]) <= source_length))


def _is_log(chart: HeatMaps, low: float) -> bool:
    return chart.scale is Scale.LOG and low > 0


def _cells(
    chart: HeatMaps, scaling: Scaling, row: str, line: Iterable[tuple[str, float]]
) -> list[HeatmapCell]:
    cells = []
    for head, value in line:
        place = f"{chart.down.name} {row}, {chart.across.name} {head}"
        if math.isnan(value):
            cells.append(HeatmapCell(None, "", f"{place}: no value"))
            continue
        colour = min(COLOURS - 1, max(0, int(scaling(value))))
        cells.append(HeatmapCell(colour, f"{value:.2f}", f"{place}: {value:.4g} {chart.unit}"))
    return cells


def _labels(axis: Axis, details: Details, count: int) -> list[str]:
    values = details[axis.values].tolist() if axis.values else list(range(count))
    match axis.text:
        case "tokens":
            return [length_text(int(value)) for value in values]
        case "percent":
            return [f"{value:g} %" for value in values]
        case _:
            return [f"{value:g}" for value in values]
