"""Retrieval heads: the score of every head, and how many there are, against tokens."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lccp.api.objects.report import EvaluationReport, RetrievalHeadsResult
from lccp.api.objects.verdict import Verdict
from lccp.report.figures import style
from lccp.report.figures.multiples import Panels
from lccp.report.figures.phases import mark_saturation
from lccp.report.figures.style import TokenAxis, translucent


def head_maps(reports: Sequence[EvaluationReport]) -> go.Figure | None:
    """Retrieval score of every head, layers down, heads across; one colour scale for all panels."""
    panels = Panels.of([report for report in reports if report.probes.retrieval_heads])
    if not panels.reports:
        return None
    figure = panels.figure(
        [
            go.Heatmap(
                z=[list(layer) for layer in _heads(report).scores],
                hovertemplate="layer %{y}, head %{x}: score %{z:.3f}<extra></extra>",
                coloraxis="coloraxis",
                xgap=1,
                ygap=1,
            )
            for report in panels.reports
        ]
    )
    figure.update_xaxes(showgrid=False, zeroline=False, tickformat="d", nticks=6)
    figure.update_yaxes(
        showgrid=False, zeroline=False, tickformat="d", nticks=5, autorange="reversed"
    )
    panels.label(figure, "head", "layer")
    colorbar = {"title": {"text": "score"}, "thickness": 12, "outlinewidth": 0}
    highest = max(
        score for report in panels.reports for row in _heads(report).scores for score in row
    )
    scale = {"colorscale": style.SEQUENTIAL, "cmin": 0, "cmax": highest or 1, "colorbar": colorbar}
    return style.figure(figure, panels.height, coloraxis=scale)


def heads_over_tokens(reports: Sequence[EvaluationReport], verdict: Verdict) -> go.Figure | None:
    """Number of retrieval heads with its interval, and below it the initial heads' mean score."""
    counted = [report for report in reports if report.probes.retrieval_heads]
    if not counted:
        return None
    axis = TokenAxis.of(report.tokens for report in counted)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    _count(figure, [(report.tokens, _heads(report)) for report in counted], axis)
    _initial(figure, verdict, axis)
    mark_saturation(figure, verdict, axis)
    most = max(_heads(report).heads_interval[1] for report in counted)
    whole = {"tick0": 0, "dtick": max(1, -(-most // 5))}
    figure.update_yaxes(title_text="retrieval heads", rangemode="tozero", **whole, row=1)
    figure.update_yaxes(title_text="initial heads' score", rangemode="tozero", row=2)
    figure.update_xaxes(axis.style())
    figure.update_xaxes(title_text="tokens trained", row=2)
    return style.figure(figure, 400, hovermode="x unified", showlegend=False)


def _heads(report: EvaluationReport) -> RetrievalHeadsResult:
    assert report.probes.retrieval_heads is not None
    return report.probes.retrieval_heads


def _count(
    figure: go.Figure, counts: list[tuple[int, RetrievalHeadsResult]], axis: TokenAxis
) -> None:
    figure.add_scatter(
        x=[axis(tokens) for tokens, _ in counts],
        y=[heads.heads for _, heads in counts],
        error_y={
            "array": [heads.heads_interval[1] - heads.heads for _, heads in counts],
            "arrayminus": [heads.heads - heads.heads_interval[0] for _, heads in counts],
            "color": translucent(style.HEADS, 0.6),
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[list(heads.heads_interval) for _, heads in counts],
        name="retrieval heads",
        mode="lines+markers",
        line={"color": style.HEADS, "width": 2},
        marker={"size": 7},
        hovertemplate="%{y} (%{customdata[0]} … %{customdata[1]})",
        row=1,
        col=1,
    )


def _initial(figure: go.Figure, verdict: Verdict, axis: TokenAxis) -> None:
    scored = [
        (axis(c.tokens), c.initial_heads_score)
        for c in verdict.checkpoints
        if c.initial_heads_score is not None
    ]
    figure.add_scatter(
        x=[tokens for tokens, _ in scored],
        y=[score for _, score in scored],
        name="mean score of the initial heads",
        mode="lines+markers",
        line={"color": style.INITIAL, "width": 2},
        marker={"size": 7},
        hovertemplate="%{y:.3f}",
        row=2,
        col=1,
    )
