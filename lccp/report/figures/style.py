"""Shared by all figures: colours that work on a light and a dark page, axes, themes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import plotly.graph_objects as go

from lccp.report.text import token_unit

SCORE, PPL, GUARD = "#dd7a1c", "#2f7fc9", "#8c9bab"
LOSS, SPEED = PPL, GUARD
COLOURWAY = ("#209a86", "#8f67c4", "#b8527a", "#5f8f2f", "#a7742f", "#4c6fa5")
"""Colours of signals that are neither the policy's, its guards nor its ceilings."""
SEQUENTIAL = "Viridis"
TOKEN_COLOURS = [[0.0, "#dd8a2c"], [0.5, "#c2588f"], [1.0, "#4a72d8"]]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class TokenAxis:
    """The horizontal axis of tokens in one decimal unit, so that ticks read `0.5 M`."""

    size: float
    letter: str

    @classmethod
    def of(cls, tokens: Iterable[int]) -> Self:
        return cls(*token_unit(max(tokens, default=0)))

    def __call__(self, tokens: float) -> float:
        return tokens / self.size

    def style(self, **more: Any) -> dict[str, Any]:
        suffix = f" {self.letter}" if self.letter else ""
        return {"ticksuffix": suffix, "hoverformat": ".3~f", "rangemode": "tozero", **more}


def figure(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """`figure` with the common margins and legend; its colours come from the page's theme."""
    common = {
        "template": "none",
        "height": height,
        "margin": {"l": 62, "r": 16, "t": 34, "b": 46},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom"},
        "hoverlabel": {"namelength": -1},
    }
    return figure.update_layout({**common, **layout})


def theme(ink: str, faint: str, page: str) -> dict[str, Any]:
    """A plotly template: `ink` for text, `faint` for the grid, `page` behind hover boxes."""
    axis = {
        "gridcolor": faint,
        "zerolinecolor": faint,
        "linecolor": faint,
        "tickcolor": faint,
        "ticks": "outside",
        "ticklen": 4,
        "automargin": True,
        "title": {"font": {"size": 12}, "standoff": 8},
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 12, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": page, "bordercolor": faint, "font": {"color": ink}},
            "colorway": [PPL, SCORE, *COLOURWAY, GUARD],
        }
    }


THEMES = {
    "light": theme(ink="#333b45", faint="#e3e7ec", page="#ffffff"),
    "dark": theme(ink="#c5cdd6", faint="#2c343e", page="#161b22"),
}


def log_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round values between `low` and `high`, for a logarithmic scale."""
    if high > 4 * low:
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        values = [m * 10.0**d for d in decades for m in (1, 2, 5)]
    else:
        step = _round_step((high - low) / about or low / about)
        values = [round(i * step, 10) for i in range(int(low / step), int(high / step) + 2)]
    return [value for value in values if low <= value <= high]


def _round_step(step: float) -> float:
    """The next step of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999))


def log_axis(values: Iterable[float], title: str) -> dict[str, Any]:
    """A logarithmic axis, with ticks however narrow the range is."""
    known = list(values)
    low, high = min(known), max(known)
    margin = (high / low) ** 0.06 if high > low else 1.01
    ticks = log_ticks(low / margin, high * margin)
    return {
        "title": {"text": f"{title} (log scale)"},
        "type": "log",
        "range": [float(np.log10(low / margin)), float(np.log10(high * margin))],
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
    }


def translucent(colour: str, alpha: float) -> str:
    """`#rrggbb` with an alpha, as CSS."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
