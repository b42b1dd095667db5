"""Charts over the details of checkpoints: heat maps, a panel each, and profiles, a line each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from lccp.api.objects.report import EvaluationReport
from lccp.contract.signals import Scale
from lccp.probes.probe import Axis, Details, HeatMaps, Profile
from lccp.report.figures import style
from lccp.report.figures.multiples import Panels
from lccp.report.figures.style import TokenAxis
from lccp.report.text import length_text, tokens_text

Measured = Sequence[tuple[EvaluationReport, Details]]
"""Reports that have the chart's array, oldest first."""


def heat_maps(chart: HeatMaps, measured: Measured) -> go.Figure | None:
    """A panel for each checkpoint, one colour scale for all."""
    panels = Panels.of([(report.tokens, (report, arrays)) for report, arrays in measured])
    if not measured:
        return None
    figure = panels.figure([_heat_map(chart, arrays) for _, arrays in panels.items])
    if chart.divided:
        figure.update_layout(shapes=list(_dividers(chart, panels)))
    figure.update_xaxes(_category(chart.across), showgrid=False, zeroline=False)
    figure.update_yaxes(_category(chart.down), autorange="reversed", showgrid=False, zeroline=False)
    panels.label(figure, chart.across.title, chart.down.title)
    values = np.concatenate([np.ravel(arrays[chart.array]) for _, arrays in measured])
    values = values[np.isfinite(values)]  # a cell without samples is not a number
    return style.figure(figure, panels.height, coloraxis=_colours(chart, values))


def _heat_map(chart: HeatMaps, arrays: Details) -> go.Heatmap:
    values = np.asarray(arrays[chart.array], dtype=np.float64)
    across, down = labels(chart.across, arrays), labels(chart.down, arrays)
    return go.Heatmap(
        x=across,
        y=down,
        z=(np.log(values) if chart.scale is Scale.LOG else values).tolist(),
        customdata=values.tolist(),
        hovertemplate=f"{chart.across.title} %{{x}}, {chart.down.title} %{{y}}: "
        f"{chart.unit} %{{customdata:.3f}}<extra></extra>",
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
    )


def labels(axis: Axis, arrays: Details) -> list[str] | None:
    """The values along an axis as text; None where they are counted from 0."""
    if axis.values is None:
        return None
    return [_label(axis, value) for value in arrays[axis.values].tolist()]


def _label(axis: Axis, value: float) -> str:
    match axis.text:
        case "tokens":
            return length_text(int(value))
        case "percent":
            return f"{value:g} %"
        case "number":
            return f"{value:g}"


def _category(axis: Axis) -> dict[str, Any]:
    if axis.values is None:
        return {"tickformat": "d", "nticks": 6}
    return {"type": "category"} | ({"tickangle": -90} if axis.text == "tokens" else {})


def _dividers(chart: HeatMaps, panels: Panels[Any]) -> Iterator[dict[str, object]]:
    """In each panel, a line between the lengths within the source context and those beyond it."""
    assert chart.across.values is not None
    for i, (report, arrays) in enumerate(panels.items):
        axis = str(i + 1) if i else ""
        lengths = arrays[chart.across.values]
        within = int((lengths <= report.source_context_length).sum())
        if 0 < within < len(lengths):
            yield {
                "type": "line",
                "xref": f"x{axis}",
                "yref": f"y{axis} domain",
                "x0": within - 0.5,
                "x1": within - 0.5,
                "y0": 0,
                "y1": 1,
                "line": {"color": "#ffffff", "width": 4},
            }


def _colours(chart: HeatMaps, values: NDArray[np.float64]) -> dict[str, object]:
    """The colour axis over all values; the ticks of a logarithmic one are at round values."""
    bar: dict[str, object] = {"title": {"text": chart.unit}, "thickness": 12, "outlinewidth": 0}
    if chart.scale is Scale.LINEAR:
        ends = {"cmin": 0, "cmax": float(values.max()) or 1}
    else:
        low, high = float(values.min()), float(values.max())
        ticks = style.log_ticks(low, high)
        bar |= {"tickvals": np.log(ticks).tolist(), "ticktext": [f"{tick:g}" for tick in ticks]}
        ends = {"cmin": float(np.log(low)), "cmax": float(np.log(high))}
    return {"colorscale": style.SEQUENTIAL, **ends, "colorbar": bar}


def profile(chart: Profile, measured: Measured) -> go.Figure | None:
    """A line for each checkpoint, coloured by its tokens."""
    if not measured:
        return None
    figure = go.Figure()
    newest = max(1, measured[-1][0].tokens)
    for report, arrays in measured:
        colour = sample_colorscale(style.TOKEN_COLOURS, [report.tokens / newest])[0]
        figure.add_scatter(
            x=labels(chart.along, arrays),
            y=np.asarray(arrays[chart.array]).tolist(),
            name=tokens_text(report.tokens),
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 5},
            hovertemplate=f"{chart.along.title} %{{x}}: {chart.unit} %{{y:.3f}}",
        )
    _token_colours(figure, TokenAxis.of(report.tokens for report, _ in measured), newest)
    figure.update_xaxes(_category(chart.along), title_text=chart.along.title)
    values = [float(v) for _, arrays in measured for v in np.ravel(arrays[chart.array])]
    vertical: Mapping[str, Any] = {"title": {"text": f"mean {chart.unit}"}}
    if chart.scale is Scale.LOG:
        vertical = style.log_axis(values, f"mean {chart.unit}")
    figure.update_yaxes(vertical)
    return style.figure(figure, 340, showlegend=False)


def _token_colours(figure: go.Figure, axis: TokenAxis, newest: int) -> None:
    """A colour bar of tokens for lines coloured by them."""
    suffix = axis.style()["ticksuffix"]
    bar = {"title": {"text": "tokens"}, "thickness": 12, "outlinewidth": 0, "ticksuffix": suffix}
    scale = {"colorscale": style.TOKEN_COLOURS, "cmin": 0, "cmax": axis(newest), "colorbar": bar}
    marker = {"color": [0], "coloraxis": "coloraxis"}
    figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, hoverinfo="skip")
    figure.update_layout(coloraxis=scale)
