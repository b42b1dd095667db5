"""The gains over a horizon, with their intervals, against tokens."""

import plotly.graph_objects as go

from lccp.api.objects.verdict import Gain, GainState, Verdict, VerdictState
from lccp.contract.signals import Role, Scale, Signal
from lccp.report.figures import style
from lccp.report.figures.phases import mark_saturation
from lccp.report.figures.style import TokenAxis, translucent
from lccp.report.states import STATE_COLOURS

GAIN_COLOURS = {
    GainState.IMPROVING: STATE_COLOURS[VerdictState.IMPROVING],
    GainState.PLATEAU: STATE_COLOURS[VerdictState.SATURATED],
    GainState.REGRESSING: STATE_COLOURS[VerdictState.REGRESSING],
    GainState.UNDETERMINED: STATE_COLOURS[VerdictState.UNDETERMINED],
}


def gain(verdict: Verdict) -> go.Figure | None:
    """Gain of the policy's signal over one horizon, with its intervals, against ±δ.

    Guards on the same scale are shown too: in percent on a logarithmic scale, else as numbers.
    """
    leading = verdict.declared(verdict.policy.signal)
    if leading is None:
        return None
    guards = [s for s in verdict.signals if s.role is Role.GUARD and s.scale is leading.scale]
    axis = TokenAxis.of(checkpoint.tokens for checkpoint in verdict.checkpoints)
    by_signal = {
        signal: [(c.tokens, g) for c in verdict.checkpoints if (g := c.gain(signal.name))]
        for signal in (leading, *guards)
    }
    if not by_signal[leading]:
        return None
    figure = go.Figure()
    delta = verdict.policy.delta(leading.name)
    figure.add_hrect(
        y0=-delta, y1=delta, fillcolor=translucent(style.GUARD, 0.18), line_width=0, layer="below"
    )
    for signal, gains in by_signal.items():
        _gains(figure, gains, axis, signal, main=signal is leading)
    mark_saturation(figure, verdict, axis)
    ticks = "+.1~%" if leading.scale is Scale.LOG else "+.3~f"
    figure.update_yaxes(title_text="gain per horizon", tickformat=ticks, zeroline=True)
    figure.update_xaxes(axis.style(title_text="tokens trained"))
    return style.figure(figure, 330)


def _gains(
    figure: go.Figure, gains: list[tuple[int, Gain]], axis: TokenAxis, signal: Signal, *, main: bool
) -> None:
    if not gains:
        return
    number = "+.2%" if signal.scale is Scale.LOG else "+.3f"
    value, low, high = (f"%{{{of}:{number}}}" for of in ("y", "customdata[0]", "customdata[1]"))
    colours = [GAIN_COLOURS[g.state] if main else style.GUARD for _, g in gains]
    figure.add_scatter(
        x=[axis(tokens) for tokens, _ in gains],
        y=[g.gain for _, g in gains],
        error_y={
            "array": [g.upper - g.gain for _, g in gains],
            "arrayminus": [g.gain - g.lower for _, g in gains],
            "color": style.PPL if main else translucent(style.GUARD, 0.7),
            "thickness": 1.5,
            "width": 4,
        },
        name=signal.title,
        mode="markers",
        marker={"size": 9 if main else 5, "color": colours},
        customdata=[[g.lower, g.upper, g.state] for _, g in gains],
        hovertemplate=f"{value} ({low} … {high}), %{{customdata[2]}}",
    )
