"""The verdict behind a curve: a shade for each stretch of one state, a line where it saturated."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import plotly.graph_objects as go

from lccp.api.objects.verdict import CheckpointVerdict, Verdict, VerdictState
from lccp.report.figures.style import STATE_COLOURS, TokenAxis, translucent
from lccp.report.words import STATE_WORDS


@dataclass(frozen=True)
class Phase:
    """A stretch with one verdict, in tokens; borders lie midway between checkpoints."""

    state: VerdictState
    start: float
    end: float


def phases(checkpoints: Sequence[CheckpointVerdict]) -> tuple[Phase, ...]:
    """The run's phases, oldest first, from the first checkpoint to the last."""
    if not checkpoints:
        return ()
    tokens = [c.tokens for c in checkpoints]
    borders = [tokens[0], *((a + b) / 2 for a, b in pairwise(tokens)), tokens[-1]]
    groups = groupby(range(len(tokens)), key=lambda i: checkpoints[i].state)
    spans = ((state, list(members)) for state, members in groups)
    return tuple(Phase(state, borders[m[0]], borders[m[-1] + 1]) for state, m in spans)


def shade(figure: go.Figure, verdict: Verdict, axis: TokenAxis) -> None:
    """Shade the phases behind every panel of `figure`, and name each state once, in the legend."""
    found = phases(verdict.checkpoints)
    for phase in found:
        figure.add_vrect(
            x0=axis(phase.start),
            x1=axis(phase.end),
            fillcolor=translucent(STATE_COLOURS[phase.state], 0.16),
            line_width=0,
            layer="below",
        )
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
    figure.add_vline(
        x=axis(verdict.since_tokens), line={"color": colour, "dash": "dot", "width": 2}
    )
