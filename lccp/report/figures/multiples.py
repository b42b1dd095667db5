"""Small multiples: the same picture for each checkpoint, side by side, on shared axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lccp.report.text import tokens_text

T = TypeVar("T")

COLUMNS = 5
PANELS_MAX = 20
ROW_PIXELS = 150


@dataclass(frozen=True)
class Panels(Generic[T]):
    """The checkpoints that get a panel, oldest first: their tokens, and the data to draw."""

    tokens: tuple[int, ...]
    items: tuple[T, ...]

    @classmethod
    def of(cls, checkpoints: Sequence[tuple[int, T]]) -> Self:
        """All, or `PANELS_MAX` of them spread evenly, the first and the last included."""
        n = len(checkpoints)
        every: Sequence[int] = range(n)
        if n > PANELS_MAX:
            every = [round(i * (n - 1) / (PANELS_MAX - 1)) for i in range(PANELS_MAX)]
        picked = [checkpoints[i] for i in every]
        return cls(tuple(tokens for tokens, _ in picked), tuple(item for _, item in picked))

    @property
    def columns(self) -> int:
        return min(COLUMNS, len(self.tokens))

    @property
    def rows(self) -> int:
        return -(-len(self.tokens) // COLUMNS)

    @property
    def height(self) -> int:
        return 100 + ROW_PIXELS * self.rows

    def figure(self, pictures: Sequence[go.Heatmap]) -> go.Figure:
        """One panel for each picture, headed by its checkpoint's tokens."""
        figure = make_subplots(
            rows=self.rows,
            cols=self.columns,
            subplot_titles=[tokens_text(tokens) for tokens in self.tokens],
            horizontal_spacing=0.015,
            vertical_spacing=min(0.12, 30 / (ROW_PIXELS * self.rows)),
        )
        places = [(i // COLUMNS + 1, i % COLUMNS + 1) for i in range(len(pictures))]
        figure.add_traces(list(pictures), *zip(*places, strict=True))
        return figure.update_annotations(font_size=12)

    def label(self, figure: go.Figure, across: str, down: str) -> None:
        """Tick labels and titles only at the outer panels."""
        figure.update_xaxes(showticklabels=False, ticks="")
        figure.update_yaxes(showticklabels=False, ticks="")
        for row in range(1, self.rows + 1):
            figure.update_yaxes(showticklabels=True, title_text=down, row=row, col=1)
        for column in range(1, self.columns + 1):
            full = column <= len(self.tokens) - (self.rows - 1) * COLUMNS
            row = self.rows if full else self.rows - 1
            figure.update_xaxes(showticklabels=True, title_text=across, row=row, col=column)
