"""Geometry of the page's charts."""

import a_run
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reports import declared

from lccp.probes.niah import CHARTS
from lccp.probes.probe import HeatMaps
from lccp.report.states import phases
from lccp_exporter.web.charts import COLOURS, HEIGHT, WIDTH, Chart, Heatmap, Scaling, bounds

VALUES = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=12)
[PPL] = [chart for chart in CHARTS if isinstance(chart, HeatMaps)]


@given(VALUES, st.booleans())
def test_values_lie_within_the_picture_and_keep_their_order(values: list[float], log: bool) -> None:
    scaling = Scaling.around(values, 200, 10, log)
    places = [scaling(value) for value in sorted(values)]
    assert all(10 <= place <= 200 for place in places)
    assert places == sorted(places, reverse=True)


@given(VALUES, st.booleans())
def test_ticks_are_few_and_within(values: list[float], log: bool) -> None:
    ticks = Scaling.around(values, 200, 10, log).ticks()
    assert 1 <= len(ticks) <= 12
    assert all(10 <= Scaling.around(values, 200, 10, log)(tick) <= 200.001 for tick in ticks)


def test_a_curve_ends_at_the_newest_checkpoint() -> None:
    course = {t: a_run.report(t).signal("niah_ppl").value for t in a_run.CHECKPOINTS}  # type: ignore[union-attr]
    verdict = a_run.verdict()
    chart = Chart.of({declared("niah_ppl"): course}, phases(verdict.checkpoints))
    [curve] = chart.curves
    assert len(curve.points) == len(course)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in curve.points)
    assert f"NIAH-PPL is {course[a_run.CHECKPOINTS[-1]]:.4f}" in chart.summary
    assert chart.stretches[-1].state == verdict.checkpoints[-1].state


def test_a_cell_without_samples_is_empty() -> None:
    details = {name: np.array(array) for name, array in a_run.niah_details(0).items()}
    details["ppl"] = details["ppl"].astype(float)
    details["ppl"][0, 1] = np.nan
    grid = Heatmap.of(PPL, details, bounds([details["ppl"]]), a_run.SOURCE_LENGTH)
    first, empty, *_ = grid.rows[0][1]
    assert (empty.colour, empty.text) == (None, "")
    assert empty.name.endswith("no value")
    assert first.colour is not None


def test_the_brightest_cell_is_the_largest_of_all_checkpoints() -> None:
    first, last = (a_run.niah_details(t) for t in (0, a_run.CHECKPOINTS[-1]))
    colours = bounds([np.asarray(first["ppl"]), np.asarray(last["ppl"])])
    grids = [Heatmap.of(PPL, one, colours, a_run.SOURCE_LENGTH) for one in (first, last)]
    brightest = [max(c.colour for _, row in grid.rows for c in row) for grid in grids]
    assert brightest[0] == COLOURS - 1
    assert brightest[1] < brightest[0]
    assert grids[0].divider == sum(n <= a_run.SOURCE_LENGTH for n in a_run.LENGTHS)
