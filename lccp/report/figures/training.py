"""The training itself: loss, gradient norm, learning rate and throughput against tokens."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lccp.api.objects.training import StepRecord
from lccp.report.figures import style
from lccp.report.figures.style import TokenAxis, translucent
from lccp.report.text import tokens_text

POINTS_MAX = 2_000
SMOOTHED_SHARE = 1 / 30


def loss_and_speed(
    history: Sequence[StepRecord], branches: Mapping[int, Sequence[StepRecord]] | None = None
) -> go.Figure | None:
    """Loss with its running mean, gradient norm, learning rate and speed of each logged step.

    Of `branches`, by the tokens at which each began, the running mean and the learning rate.
    """
    if not history:
        return None
    lines = _thinned(history)
    branched = {tokens: _thinned(one) for tokens, one in (branches or {}).items() if one}
    axis = TokenAxis.of(line.tokens for one in (lines, *branched.values()) for line in one)
    x = [axis(line.tokens) for line in lines]
    loss = [line.loss for line in lines]
    figure = make_subplots(
        rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.4, 0.2, 0.2, 0.2]
    )
    raw = {"color": translucent(style.LOSS, 0.35), "width": 1}
    smooth = {"color": style.LOSS, "width": 2}
    speed = {"color": style.SPEED, "width": 1.5}
    per_second = [line.tokens_per_second for line in lines]
    _curve(figure, 1, (x, loss), "loss", raw)
    _curve(figure, 1, (x, running_mean(loss)), "running mean", smooth)
    norms = [line.gradient_norm for line in lines]
    _curve(figure, 2, (x, norms), "gradient norm", speed)
    _curve(figure, 3, (x, [line.learning_rate for line in lines]), "learning rate", speed)
    _curve(figure, 4, (x, per_second), "tokens per second", speed)
    for tokens, one in branched.items():
        _branch(figure, axis, f"branch from {tokens_text(tokens)}", one)
    figure.update_yaxes(title_text="loss (nats per token)", row=1)
    figure.update_yaxes(title_text="gradient norm", row=2)
    figure.update_yaxes(title_text="learning rate", rangemode="tozero", tickformat=".1~e", row=3)
    figure.update_yaxes(title_text="tokens/s", rangemode="tozero", tickformat="~s", row=4)
    figure.update_xaxes(axis.style())
    figure.update_xaxes(title_text="tokens trained", row=4)
    return style.figure(figure, 640, hovermode="x unified", showlegend=False)


def _branch(figure: go.Figure, axis: TokenAxis, name: str, lines: Sequence[StepRecord]) -> None:
    x = [axis(line.tokens) for line in lines]
    of = {"color": style.SCORE, "width": 2}
    _curve(figure, 1, (x, running_mean([line.loss for line in lines])), name, of)
    _curve(figure, 3, (x, [line.learning_rate for line in lines]), f"{name}: learning rate", of)


def _curve(
    figure: go.Figure,
    row: int,
    points: tuple[Sequence[float], Sequence[float | None]],
    name: str,
    line: dict[str, object],
) -> None:
    figure.add_scatter(
        x=list(points[0]),
        y=list(points[1]),
        name=name,
        mode="lines",
        line=line,
        hovertemplate="%{y:.4~g}",
        row=row,
        col=1,
    )


def _thinned(history: Sequence[StepRecord]) -> Sequence[StepRecord]:
    """At most `POINTS_MAX` lines, evenly spread, so that a long run's page stays small."""
    return history[:: -(-len(history) // POINTS_MAX)]


def running_mean(values: Sequence[float]) -> list[float]:
    """Mean over a centred window of a thirtieth of the series, cut at both ends."""
    half = max(1, round(len(values) * SMOOTHED_SHARE / 2))
    sums = np.concatenate(([0.0], np.cumsum(values)))
    low = np.maximum(np.arange(len(values)) - half, 0)
    high = np.minimum(np.arange(len(values)) + half + 1, len(values))
    means: list[float] = ((sums[high] - sums[low]) / (high - low)).tolist()
    return means
