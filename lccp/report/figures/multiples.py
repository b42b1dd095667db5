"""Small multiples: the same picture for each checkpoint, side by side, on shared axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lccp.api.objects.report import EvaluationReport
from lccp.report.text import tokens_text

COLUMNS = 5
PANELS_MAX = 20
ROW_PIXELS = 150


@dataclass(frozen=True)
class Panels:
    """The checkpoints that get a panel, oldest first."""

    reports: tuple[EvaluationReport, ...]

    @classmethod
    def of(cls, reports: Sequence[EvaluationReport]) -> Self:
        """All reports, or `PANELS_MAX` of them spread evenly, the first and the last included."""
        n = len(reports)
        if n <= PANELS_MAX:
            return cls(tuple(reports))
        picked = (round(i * (n - 1) / (PANELS_MAX - 1)) for i in range(PANELS_MAX))
        return cls(tuple(reports[i] for i in picked))

    @property
    def columns(self) -> int:
        return min(COLUMNS, len(self.reports))

    @property
    def rows(self) -> int:
        return -(-len(self.reports) // COLUMNS)

    @property
    def height(self) -> int:
        return 100 + ROW_PIXELS * self.rows

    def figure(self, pictures: Sequence[go.Heatmap]) -> go.Figure:
        """One panel for each picture, headed by its checkpoint's tokens."""
        figure = make_subplots(
            rows=self.rows,
            cols=self.columns,
            subplot_titles=[tokens_text(report.tokens) for report in self.reports],
            horizontal_spacing=0.015,
            vertical_spacing=min(0.12, 30 / (ROW_PIXELS * self.rows)),
        )
        places = [(i // COLUMNS + 1, i % COLUMNS + 1) for i in range(len(pictures))]
        figure.add_traces(list(pictures), *zip(*places, strict=True))
        return figure.update_annotations(font_size=12)

    def label(self, figure: go.Figure, across: str, down: str) -> None:
        """Tick labels and titles at the outer panels alone."""
        figure.update_xaxes(showticklabels=False, ticks="")
        figure.update_yaxes(showticklabels=False, ticks="")
        for row in range(1, self.rows + 1):
            figure.update_yaxes(showticklabels=True, title_text=down, row=row, col=1)
        for column in range(1, self.columns + 1):
            full = column <= len(self.reports) - (self.rows - 1) * COLUMNS
            row = self.rows if full else self.rows - 1
            figure.update_xaxes(showticklabels=True, title_text=across, row=row, col=column)
