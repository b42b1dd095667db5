"""The gains over a horizon, with their intervals, against tokens."""

import plotly.graph_objects as go

from lccp.api.objects.verdict import Gain, GainState, Verdict, VerdictState
from lccp.contract.signals import Role
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
    """Gain of the policy's signal and its guards over one horizon, with intervals, against ±δ."""
    axis = TokenAxis.of(checkpoint.tokens for checkpoint in verdict.checkpoints)
    guards = [signal.name for signal in verdict.signals if signal.role is Role.GUARD]
    by_signal = {
        name: [(c.tokens, g) for c in verdict.checkpoints if (g := c.gain(name)) is not None]
        for name in (verdict.policy.signal, *guards)
    }
    if not by_signal[verdict.policy.signal]:
        return None
    figure = go.Figure()
    delta = verdict.policy.delta(verdict.policy.signal)
    figure.add_hrect(
        y0=-delta, y1=delta, fillcolor=translucent(style.GUARD, 0.18), line_width=0, layer="below"
    )
    for name, gains in by_signal.items():
        _gains(figure, gains, axis, verdict, name)
    mark_saturation(figure, verdict, axis)
    figure.update_yaxes(title_text="gain per horizon", tickformat="+.1~%", zeroline=True)
    figure.update_xaxes(axis.style(title_text="tokens trained"))
    return style.figure(figure, 330)


def _gains(
    figure: go.Figure, gains: list[tuple[int, Gain]], axis: TokenAxis, verdict: Verdict, name: str
) -> None:
    declared, main = verdict.declared(name), name == verdict.policy.signal
    if not gains or declared is None:
        return
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
        name=declared.title,
        mode="markers",
        marker={"size": 9 if main else 5, "color": colours},
        customdata=[[g.lower, g.upper, g.state] for _, g in gains],
        hovertemplate="%{y:+.2%} (%{customdata[0]:+.2%} … %{customdata[1]:+.2%}), %{customdata[2]}",
    )
