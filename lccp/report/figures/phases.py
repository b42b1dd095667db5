"""The verdict behind a curve: a shade for each stretch of one state, a line where it saturated."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from lccp.api.objects.verdict import Verdict, VerdictState
from lccp.report.figures.style import TokenAxis, translucent
from lccp.report.states import STATE_COLOURS, STATE_WORDS, phases


def shade(figure: go.Figure, verdict: Verdict, axis: TokenAxis) -> None:
    """Shade the phases behind every panel of `figure`, and name each state once, in the legend."""
    found = phases(verdict.checkpoints)
    shades = [
        {
            "type": "rect",
            "x0": axis(phase.start),
            "x1": axis(phase.end),
            "fillcolor": translucent(STATE_COLOURS[phase.state], 0.16),
            "line": {"width": 0},
            "layer": "below",
        }
        for phase in found
    ]
    _through_every_panel(figure, shades)
    for state in dict.fromkeys(phase.state for phase in found):
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            marker={
                "symbol": "square",
                "size": 11,
                "color": translucent(STATE_COLOURS[state], 0.5),
            },
            name=STATE_WORDS[state],
            legend="legend2",
        )


def mark_saturation(figure: go.Figure, verdict: Verdict, axis: TokenAxis) -> None:
    """A line through every panel at the checkpoint since which the verdict is Saturated."""
    if verdict.state is not VerdictState.SATURATED or verdict.since_tokens is None:
        return
    colour = STATE_COLOURS[VerdictState.SATURATED]
    at = axis(verdict.since_tokens)
    line = {"color": colour, "dash": "dot", "width": 2}
    _through_every_panel(figure, [{"type": "line", "x0": at, "x1": at, "line": line}])


def _through_every_panel(figure: go.Figure, shapes: Sequence[Mapping[str, Any]]) -> None:
    """Add `shapes`, from bottom to top of each panel with a trace.

    All together: `add_vrect` and `add_vline` copy the shapes so far for each further one.
    """
    panels = dict.fromkeys((trace.xaxis or "x", trace.yaxis or "y") for trace in figure.data)
    figure.layout.shapes += tuple(
        go.layout.Shape(shape, xref=x, yref=f"{y} domain", y0=0, y1=1)
        for shape in shapes
        for x, y in panels
    )
