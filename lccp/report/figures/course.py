"""Signals against tokens, with the verdict behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lccp.analysis.laws.loglaw import FEWEST, LogLaw
from lccp.api.labels import is_of_branch
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Verdict
from lccp.contract.signals import Role, Scale, Signal
from lccp.probes.probe import SignalCurves
from lccp.report.figures import style
from lccp.report.figures.phases import mark_saturation, shade
from lccp.report.figures.style import TokenAxis, translucent

PANEL_PIXELS, REST_PIXELS = 200, 90
LEGEND_BELOW_PIXELS = 54
"""From the lowest panel to the legend of its shades, with the axis's ticks and title between."""
SHARE_MARGIN = 0.05
"""Beyond 0 and 1, for the marks of points there."""
LAW_POINTS = 60
"""Of a log law's curve."""


@dataclass(frozen=True)
class SignalLine:
    """A signal along a run: its values by tokens, with intervals where there are any."""

    signal: Signal
    points: Mapping[int, tuple[float, tuple[float, float] | None]]

    def without_the_base(self) -> "SignalLine":
        """The same without checkpoint 0."""
        return SignalLine(self.signal, {at: value for at, value in self.points.items() if at})


def course(
    chart: SignalCurves, lines: Mapping[str, SignalLine], verdict: Verdict
) -> go.Figure | None:
    """The chart's panels from top to bottom; None if none of their signals was measured."""
    if chart.log_tokens:
        lines = {name: line.without_the_base() for name, line in lines.items()}
    panels = [[line for name in panel for line in _named(name, lines)] for panel in chart.panels]
    panels = [kept for panel in panels if (kept := [line for line in panel if line.points])]
    if not panels:
        return None
    axis = TokenAxis.of(tokens for panel in panels for line in panel for tokens in line.points)
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.07)
    colours = iter(style.COLOURWAY)
    for row, panel in enumerate(panels, start=1):
        for line in panel:
            colour = _colour(line.signal, verdict) or next(colours)
            _line(figure, row, line, axis, colour)
            if line.signal.name.partition("/")[0] in chart.log_law:
                _law(figure, row, line, axis, colour, verdict)
        _vertical_axis(figure, row, panel, straight=chart.log_tokens)
    _token_axis(figure, len(panels), axis, verdict, log=chart.log_tokens)
    below = {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": -LEGEND_BELOW_PIXELS / (PANEL_PIXELS * len(panels)),
        "yanchor": "top",
    }
    height = PANEL_PIXELS * len(panels) + REST_PIXELS
    return style.figure(figure, height, legend2=below, hovermode="x unified")


def _named(name: str, lines: Mapping[str, SignalLine]) -> list[SignalLine]:
    """The line of a signal, or those of all its parts."""
    return [line for key, line in lines.items() if name in (key, key.partition("/")[0])]


def _colour(signal: Signal, verdict: Verdict) -> str | None:
    if signal.band == "guard":
        return style.GUARD
    if signal.name == verdict.policy.signal:
        return style.PPL
    return style.SCORE if signal.role is Role.CEILING else None


def _line(figure: go.Figure, row: int, line: SignalLine, axis: TokenAxis, colour: str) -> None:
    guard = line.signal.band == "guard"
    branch = is_of_branch(line.signal.name)
    values = [value for value, _ in line.points.values()]
    intervals = [interval or (value, value) for value, interval in line.points.values()]
    bars = {
        "array": [high - value for value, (_, high) in zip(values, intervals, strict=True)],
        "arrayminus": [value - low for value, (low, _) in zip(values, intervals, strict=True)],
        "color": translucent(colour, 0.6),
        "thickness": 1.5,
        "width": 4,
    }
    figure.add_scatter(
        x=[axis(tokens) for tokens in line.points],
        y=values,
        error_y=bars if any(interval for _, interval in line.points.values()) else None,
        name=line.signal.title,
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": _dash(guard, branch)},
        marker={"size": 5 if guard else 7, "color": colour, "symbol": _symbol(branch)},
        hovertemplate="%{y:.4~f}",
        row=row,
        col=1,
    )


def _dash(guard: bool, branch: bool) -> str:
    return "dot" if branch else "dash" if guard else "solid"


def _symbol(branch: bool) -> str:
    return "diamond" if branch else "circle"


def _law(
    figure: go.Figure, row: int, line: SignalLine, axis: TokenAxis, colour: str, verdict: Verdict
) -> None:
    values = {tokens: value for tokens, (value, _) in line.points.items()}
    drawn = log_law(values, line.signal.title, verdict.policy, axis, colour)
    if drawn is not None:
        figure.add_trace(drawn, row=row, col=1)


def _token_axis(
    figure: go.Figure, lowest: int, axis: TokenAxis, verdict: Verdict, *, log: bool
) -> None:
    """Scale and title below the lowest panel; on a linear scale, the verdict behind all panels."""
    title = "tokens trained"
    if log:
        figure.update_xaxes(type="log", ticksuffix=axis.style()["ticksuffix"], dtick="D2")
        title = f"{title} (log scale)"
    else:
        shade(figure, verdict, axis)
        mark_saturation(figure, verdict, axis)
        figure.update_xaxes(axis.style())
    figure.update_xaxes(title_text=title, row=lowest)


def _vertical_axis(
    figure: go.Figure, row: int, panel: Sequence[SignalLine], *, straight: bool
) -> None:
    """Title and scale; `straight`: a linear scale, on which the log law is a straight line."""
    signal = panel[0].signal
    values = [value for line in panel for value, _ in line.points.values()]
    if straight:
        figure.update_yaxes(title_text=signal.unit, row=row)
    elif signal.scale is Scale.LOG:
        figure.update_yaxes(style.log_axis(values, signal.unit), row=row)
    elif signal.unit == "nats":
        figure.update_yaxes(title_text=signal.unit, zeroline=True, row=row)
    elif signal.unit == "share":
        figure.update_yaxes(_share_axis(values), row=row)
    elif max(values) > 1:
        whole = {"tick0": 0, "dtick": max(1, -(-round(max(values)) // 5))}
        figure.update_yaxes(title_text=signal.title.lower(), rangemode="tozero", **whole, row=row)
    else:
        figure.update_yaxes(title_text=f"{signal.unit} (0–1)", tickformat=".2~f", row=row)


def _share_axis(values: Sequence[float]) -> dict[str, object]:
    """From 0 to 1 at most, unless there are values beyond, such as of a recovery."""
    if min(values) < 0 or max(values) > 1:
        return {"title": {"text": "share"}, "zeroline": True}
    ends = {"clipmin": -SHARE_MARGIN, "clipmax": 1 + SHARE_MARGIN}
    return {"title": {"text": "share (0–1)"}, "tickformat": ".2~f", "autorangeoptions": ends}


def log_law(
    ppl: Mapping[int, float], title: str, policy: Policy, axis: TokenAxis, colour: str
) -> go.Scatter | None:
    """PPL = A ln N + B through `ppl` by tokens, with A's interval; None below four checkpoints.

    Only trained checkpoints beyond the warm-up count.
    """
    tokens = [at for at in ppl if at > max(0, policy.warmup_tokens)]
    if len(tokens) < FEWEST:
        return None
    law = LogLaw.fit(np.array(tokens, dtype=float), np.array([ppl[at] for at in tokens]))
    low, high = (float(end) for end in law.slope_interval(policy.confidence))
    at = np.geomspace(tokens[0], tokens[-1], LAW_POINTS)
    told = f"A = {float(law.slope):.3g} ({low:.3g} … {high:.3g}), R² {float(law.r_squared):.2f}"
    return go.Scatter(
        x=[axis(one) for one in at],
        y=law.at(at).tolist(),
        name=f"{title}: A ln N + B",
        mode="lines",
        line={"color": colour, "width": 1.5, "dash": "dot"},
        hovertemplate=f"%{{y:.4~f}}, {told}",
    )
