"""The figures of the page, in order, each with a caption."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import plotly.graph_objects as go

from lccp.api.labels import ANNEAL, signal_of_suite
from lccp.api.objects.verdict import Verdict
from lccp.contract.signals import Signal
from lccp.probes.probe import Chart, HeatMaps, Profile, SignalCurves
from lccp.probes.registry import PROBES
from lccp.report.details import compared, details_of
from lccp.report.figures.arrays import Measured, heat_maps, profile
from lccp.report.figures.course import SignalLine, course
from lccp.report.figures.gain import gain
from lccp.report.figures.multiples import PANELS_MAX
from lccp.report.figures.training import loss_and_speed
from lccp.report.load import RunData
from lccp.report.summary import table_signals

ONE_PANEL_EACH = (
    f"One panel for each checkpoint (at most {PANELS_MAX}, evenly spread), "
    "one colour scale for all. "
)
GAIN = (
    "How much the signal gained over the last horizon (a perplexity on its logarithm), with its "
    "confidence interval. The grey stripe is ±δ, the least gain that pays: an interval inside it "
    "is a plateau (violet), one above zero an improvement (green), and one that is neither decides "
    "nothing (grey)."
)
TRAINING = (
    "Loss of each logged step (thin) and its running mean; below, the gradient's norm before "
    "clipping, the learning rate, and the throughput. An anneal branch has a running mean and a "
    "learning rate of its own (orange). The loss hardly shows what the probes show: few tokens "
    "need the long context."
)


BRANCHES = (
    "At the end of each anneal branch, whose learning rate decays from that of the run, by the "
    "tokens of the run that it began with (diamonds), beside the run's own checkpoints: what an "
    "end there would have been worth."
)
BRANCHED_MAX = 4
"""Number of signals that are drawn for branches."""


@dataclass(frozen=True)
class Exhibit:
    """A figure with its title and caption."""

    title: str
    caption: str
    figure: go.Figure
    wide: bool = False
    """It has panels side by side."""


def exhibits(data: RunData, verdict: Verdict) -> Iterator[Exhibit]:
    """All figures with anything to draw: the probes', the gains, the training."""
    lines, branches = _lines(data, verdict), data.branch_histories
    drawn = [
        _drawn(chart, name, data, verdict, lines)
        for name, probe in PROBES.items()
        for chart in probe.charts
    ]
    drawn.insert(1, _exhibit("Gain per horizon", GAIN, lambda: gain(verdict)))
    drawn.insert(
        2, _exhibit("Branches beside the run", BRANCHES, lambda: _branches(lines, verdict))
    )
    drawn.append(_exhibit("Training", TRAINING, partial(loss_and_speed, data.history, branches)))
    yield from (exhibit for exhibit in drawn if exhibit is not None)


def _exhibit(
    title: str, caption: str, draw: Callable[[], go.Figure | None], *, wide: bool = False
) -> Exhibit | None:
    figure = draw()
    return None if figure is None else Exhibit(title, caption, figure, wide)


def _drawn(
    chart: Chart, probe: str, data: RunData, verdict: Verdict, lines: Mapping[str, SignalLine]
) -> Exhibit | None:
    match chart:
        case SignalCurves():
            return _exhibit(chart.title, chart.caption, lambda: course(chart, lines, verdict))
        case HeatMaps():
            caption = f"{chart.caption} {ONE_PANEL_EACH}".strip()
            measured = _measured(data, probe, chart.array)
            return _exhibit(chart.title, caption, lambda: heat_maps(chart, measured), wide=True)
        case Profile():
            measured = _measured(data, probe, chart.array)
            return _exhibit(chart.title, chart.caption, lambda: profile(chart, measured))


def _branches(lines: Mapping[str, SignalLine], verdict: Verdict) -> go.Figure | None:
    """The first signals of short tables that branches also have, each in a panel."""
    names = (signal.name for signal in table_signals(verdict))
    pairs = ((name, signal_of_suite(ANNEAL, name)) for name in names)
    panels = [pair for pair in pairs if pair[1] in lines][:BRANCHED_MAX]
    return course(SignalCurves("", "", tuple(panels)), lines, verdict)


def _measured(data: RunData, probe: str, array: str) -> Measured:
    found = (
        (report, details_of(report, probe, data.fetch, data.damaged)) for report in data.reports
    )
    return [(report, arrays) for report, arrays in found if arrays and array in arrays]


def _lines(data: RunData, verdict: Verdict) -> dict[str, SignalLine]:
    """Every signal that was measured or that compares checkpoints, by name."""
    points: dict[str, dict[int, tuple[float, tuple[float, float] | None]]] = {}
    declared: dict[str, Signal] = {}
    for report in (*data.reports, *data.branches):
        for signal in report.signals():
            declared[signal.name] = signal
            points.setdefault(signal.name, {})[report.tokens] = (signal.value, signal.interval)
    comparing = {s.name: s for p in PROBES.values() if p.comparison for s in p.comparison.signals}
    for name, values in compared(data.reports, data.fetch, data.damaged).items():
        declared[name] = comparing[name]
        points[name] = {tokens: (value, None) for tokens, value in values.items()}
    return {name: SignalLine(declared[name], points[name]) for name in points if points[name]}
