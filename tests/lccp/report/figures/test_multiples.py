"""Small multiples: which checkpoints get a panel, and where."""

import plotly.graph_objects as go
import pytest

from lccp.report.figures.multiples import PANELS_MAX, Panels


def test_many_checkpoints_get_panels_evenly_first_and_last_included() -> None:
    shown = Panels.of([(tokens, None) for tokens in range(100)]).tokens
    assert len(shown) == PANELS_MAX
    assert (shown[0], shown[-1]) == (0, 99)


def test_few_checkpoints_all_get_one() -> None:
    panels = Panels.of([(0, "a"), (7, "b")])

    assert (panels.tokens, panels.items) == ((0, 7), ("a", "b"))


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (5, 5, 1), (6, 5, 2), (20, 5, 4)]
)
def test_panels_fill_rows_of_five(count: int, columns: int, rows: int) -> None:
    panels = Panels.of([(tokens, None) for tokens in range(count)])

    assert (panels.columns, panels.rows) == (columns, rows)


def test_outer_panels_alone_have_ticks_and_titles() -> None:
    """Of seven panels in two rows those without one below have the ticks."""
    panels = Panels.of([(10**6 * number, None) for number in range(7)])
    figure = panels.figure([go.Heatmap(z=[[0]])] * 7)
    panels.label(figure, "across", "down")

    across = [axis.title.text for axis in figure.select_xaxes()]
    assert across == [None, None, *["across"] * 5, None, None, None]
    assert [axis.title.text for axis in figure.select_yaxes()][::5] == ["down", "down"]
    assert [one.text for one in figure.layout.annotations][:2] == ["0", "1 M"]
