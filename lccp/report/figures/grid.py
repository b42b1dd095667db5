"""The NIAH grid: perplexity by length and depth, a panel for each checkpoint."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from lccp.api.objects.report import EvaluationReport
from lccp.report.figures import style
from lccp.report.figures.multiples import Panels
from lccp.report.figures.style import TokenAxis
from lccp.report.text import length_text, tokens_text


def ppl_heatmaps(reports: Sequence[EvaluationReport]) -> go.Figure:
    """PPL of every cell, length across, depth down; one logarithmic colour scale for all."""
    panels = Panels.of(reports)
    figure = panels.figure([_heatmap(report) for report in panels.reports])
    figure.update_layout(shapes=list(_borders(panels)))
    figure.update_xaxes(type="category", showgrid=False, tickangle=-90)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    panels.label(figure, "length (tokens)", "depth")
    return style.figure(figure, panels.height, coloraxis=_ppl_scale(reports))


def _heatmap(report: EvaluationReport) -> go.Heatmap:
    cells = {(cell.depth_percent, cell.length): cell for cell in report.probes.niah.cells}
    depths, lengths = (sorted(set(values)) for values in zip(*cells, strict=True))
    grid = [[cells.get((depth, length)) for length in lengths] for depth in depths]
    return go.Heatmap(
        x=[length_text(length) for length in lengths],
        y=[f"{depth} %" for depth in depths],
        z=[[cell and cell.nll for cell in row] for row in grid],
        customdata=[[cell and cell.ppl for cell in row] for row in grid],
        hovertemplate="%{x} tokens, depth %{y}: PPL %{customdata:.3f}<extra></extra>",
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
    )


def _borders(panels: Panels) -> Iterator[dict[str, object]]:
    """In each panel, a line between the lengths within the source context and those beyond it."""
    for i, report in enumerate(panels.reports):
        axis = str(i + 1) if i else ""
        lengths = {cell.length for cell in report.probes.niah.cells}
        within = sum(length <= report.source_context_length for length in lengths)
        if 0 < within < len(lengths):
            yield {
                "type": "line",
                "xref": f"x{axis}",
                "yref": f"y{axis} domain",
                "x0": within - 0.5,
                "x1": within - 0.5,
                "y0": 0,
                "y1": 1,
                "line": {"color": "#ffffff", "width": 2},
            }


def _ppl_scale(reports: Sequence[EvaluationReport]) -> dict[str, object]:
    """The colour axis over the NLL of all cells, its ticks at round perplexities."""
    nlls = [cell.nll for report in reports for cell in report.probes.niah.cells]
    low, high = min(nlls), max(nlls)
    ticks = style.ppl_ticks(math.exp(low), math.exp(high))
    return {
        "colorscale": style.SEQUENTIAL,
        "cmin": low,
        "cmax": high,
        "colorbar": {
            "title": {"text": "PPL"},
            "tickvals": [math.log(ppl) for ppl in ticks],
            "ticktext": [f"{ppl:g}" for ppl in ticks],
            "thickness": 12,
            "outlinewidth": 0,
        },
    }


def ppl_by_depth(reports: Sequence[EvaluationReport]) -> go.Figure | None:
    """Mean PPL over the lengths beyond the source context, by depth, a line for each checkpoint."""
    lines = [(report, _by_depth(report)) for report in reports]
    lines = [(report, means) for report, means in lines if means]
    if not lines:
        return None
    figure = go.Figure()
    axis = TokenAxis.of(report.tokens for report, _ in lines)
    newest = max(1, lines[-1][0].tokens)
    for report, means in lines:
        colour = sample_colorscale(style.TOKENS, [report.tokens / newest])[0]
        figure.add_scatter(
            x=list(means),
            y=list(means.values()),
            name=tokens_text(report.tokens),
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 5},
            hovertemplate="depth %{x} %: PPL %{y:.3f}",
        )
    _token_colours(figure, axis, newest)
    figure.update_xaxes(title_text="depth of the needle", ticksuffix=" %", dtick=25)
    ppls = [ppl for _, means in lines for ppl in means.values()]
    figure.update_yaxes(style.ppl_axis(ppls, "mean PPL"))
    return style.figure(figure, 340, showlegend=False)


def _token_colours(figure: go.Figure, axis: TokenAxis, newest: int) -> None:
    """A colour bar of tokens for lines that are coloured by them."""
    suffix = axis.style()["ticksuffix"]
    bar = {"title": {"text": "tokens"}, "thickness": 12, "outlinewidth": 0, "ticksuffix": suffix}
    scale = {"colorscale": style.TOKENS, "cmin": 0, "cmax": axis(newest), "colorbar": bar}
    marker = {"color": [0], "coloraxis": "coloraxis"}
    figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, hoverinfo="skip")
    figure.update_layout(coloraxis=scale)


def _by_depth(report: EvaluationReport) -> dict[int, float]:
    """exp of the mean NLL by depth, over the extension band (cells hold equally many samples)."""
    cells = [c for c in report.probes.niah.cells if c.length > report.source_context_length]
    depths = sorted({cell.depth_percent for cell in cells})
    return {d: math.exp(fmean(c.nll for c in cells if c.depth_percent == d)) for d in depths}
