"""The signals of the verdict against tokens: score and perplexity, and the gain over a horizon."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lccp.api.objects.report import Band, EvaluationReport
from lccp.api.objects.verdict import Gain, GainState, Verdict, VerdictState
from lccp.report.figures import style
from lccp.report.figures.phases import mark_saturation, shade
from lccp.report.figures.style import TokenAxis, translucent

SIGNAL_NAMES = {
    "niah_ppl": "NIAH-PPL",
    "niah_ppl_guard": "NIAH-PPL, guard band",
    "niah_score": "NIAH score",
}
GAIN_COLOURS = {
    GainState.IMPROVING: style.STATE_COLOURS[VerdictState.IMPROVING],
    GainState.PLATEAU: style.STATE_COLOURS[VerdictState.SATURATED],
    GainState.REGRESSING: style.STATE_COLOURS[VerdictState.REGRESSING],
    GainState.UNDETERMINED: style.STATE_COLOURS[VerdictState.UNDETERMINED],
}


def score_and_ppl(reports: Sequence[EvaluationReport], verdict: Verdict) -> go.Figure:
    """NIAH score (above) and NIAH-PPL (below) against tokens, the verdict's phases behind them."""
    axis = TokenAxis.of(report.tokens for report in reports)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    lines: tuple[tuple[int, Band, str, str, str], ...] = (
        (1, "extension", "score", "NIAH score", style.SCORE),
        (1, "guard", "score", "NIAH score, guard band", style.GUARD),
        (2, "extension", "ppl", "NIAH-PPL", style.PPL),
        (2, "guard", "ppl", "NIAH-PPL, guard band", style.GUARD),
    )
    for row, band, field, name, colour in lines:
        _line(figure, row, _series(reports, band, field, axis), name, colour, band == "guard")
    shade(figure, verdict, axis)
    mark_saturation(figure, verdict, axis)
    figure.update_yaxes(title_text="score (0–1)", tickformat=".2~f", row=1)
    ppls = [band.ppl for report in reports for band in report.probes.niah.bands.values()]
    figure.update_yaxes(style.ppl_axis(ppls, "PPL"), row=2)
    figure.update_xaxes(axis.style())
    figure.update_xaxes(title_text="tokens trained", row=2)
    below = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.13, "yanchor": "top"}
    return style.figure(figure, 490, legend2=below, hovermode="x unified")


def _series(
    reports: Sequence[EvaluationReport], band: Band, field: str, axis: TokenAxis
) -> tuple[list[float], list[float]]:
    """Tokens and the value of `field`, over the reports that have the band."""
    found = [(r.tokens, r.probes.niah.bands[band]) for r in reports if band in r.probes.niah.bands]
    return [axis(tokens) for tokens, _ in found], [getattr(value, field) for _, value in found]


def _line(
    figure: go.Figure,
    row: int,
    points: tuple[list[float], list[float]],
    name: str,
    colour: str,
    dashed: bool,
) -> None:
    if not points[0]:
        return
    figure.add_scatter(
        x=points[0],
        y=points[1],
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": "dash" if dashed else "solid"},
        marker={"size": 5 if dashed else 7, "color": colour},
        hovertemplate="%{y:.4~f}",
        row=row,
        col=1,
    )


def gain(verdict: Verdict) -> go.Figure | None:
    """Gain of the signal over one horizon at each checkpoint, with its interval, against ±δ."""
    axis = TokenAxis.of(checkpoint.tokens for checkpoint in verdict.checkpoints)
    known = [(c.tokens, g) for c in verdict.checkpoints for g in c.gains]
    signals = [name for name in SIGNAL_NAMES if name != "niah_score"]
    if not known:
        return None
    figure = go.Figure()
    delta = verdict.min_gain
    figure.add_hrect(
        y0=-delta, y1=delta, fillcolor=translucent(style.GUARD, 0.18), line_width=0, layer="below"
    )
    for signal in signals:
        _gains(figure, [(tokens, g) for tokens, g in known if g.signal == signal], axis)
    mark_saturation(figure, verdict, axis)
    figure.update_yaxes(title_text="gain per horizon", tickformat="+.1~%", zeroline=True)
    figure.update_xaxes(axis.style(title_text="tokens trained"))
    return style.figure(figure, 330)


def _gains(figure: go.Figure, gains: list[tuple[int, Gain]], axis: TokenAxis) -> None:
    if not gains:
        return
    main = gains[0][1].signal == "niah_ppl"
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
        name=SIGNAL_NAMES[gains[0][1].signal],
        mode="markers",
        marker={"size": 9 if main else 5, "color": colours},
        customdata=[[g.lower, g.upper, g.state] for _, g in gains],
        hovertemplate="%{y:+.2%} (%{customdata[0]:+.2%} … %{customdata[1]:+.2%}), %{customdata[2]}",
    )
