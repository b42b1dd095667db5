"""Heat maps and profiles show the values from which they are drawn."""

import a_run
import numpy as np
import pytest
from drawn import REPORTS, measured

from lccp.probes import niah
from lccp.probes.heads import retrieval_heads
from lccp.probes.probe import Axis, HeatMaps, Profile
from lccp.report.figures.arrays import heat_maps, labels, profile

pytestmark = pytest.mark.slow

(NIAH_MAPS,) = [chart for chart in niah.PROBE.charts if isinstance(chart, HeatMaps)]
DEPTHS, GUARD_DEPTHS = [chart for chart in niah.PROBE.charts if isinstance(chart, Profile)]
(HEAD_MAPS,) = [chart for chart in retrieval_heads.PROBE.charts if isinstance(chart, HeatMaps)]


def test_every_cell_is_in_its_heat_map() -> None:
    figure = heat_maps(NIAH_MAPS, measured("niah"))
    assert figure is not None
    for heat_map, (_, details) in zip(figure.data, measured("niah"), strict=True):
        assert list(heat_map.y) == [f"{depth} %" for depth in a_run.DEPTHS]
        assert list(heat_map.x) == [str(length) for length in a_run.LENGTHS]
        assert np.array(heat_map.z) == pytest.approx(details["nll"])
        assert np.array(heat_map.customdata) == pytest.approx(details["ppl"])


def test_heat_maps_share_one_scale_over_all_values() -> None:
    figure = heat_maps(NIAH_MAPS, measured("niah"))
    assert figure is not None
    nlls = np.stack([details["nll"] for _, details in measured("niah")])
    assert {heat_map.coloraxis for heat_map in figure.data} == {"coloraxis"}
    scale = figure.layout.coloraxis
    assert (scale.cmin, scale.cmax) == pytest.approx((nlls.min(), nlls.max()))


def test_the_source_context_ends_between_the_bands() -> None:
    figure = heat_maps(NIAH_MAPS, measured("niah", REPORTS[:1]))
    assert figure is not None
    (line,) = figure.layout.shapes
    assert line.x0 == a_run.LENGTHS.index(a_run.SOURCE_LENGTH) + 0.5


def test_a_profile_has_a_line_for_each_checkpoint() -> None:
    figure = profile(DEPTHS, measured("niah"))
    assert figure is not None
    expected = a_run.details(REPORTS[3].tokens)["niah"]["ppl_by_depth"]
    assert list(figure.data[3].y) == expected.tolist()
    assert list(figure.data[3].x) == [f"{depth} %" for depth in a_run.DEPTHS]


def test_lengths_within_the_source_context_have_a_profile_of_their_own() -> None:
    figure = profile(GUARD_DEPTHS, measured("niah"))
    assert figure is not None
    expected = a_run.details(REPORTS[3].tokens)["niah"]["ppl_by_depth_guard"]
    assert list(figure.data[3].y) == expected.tolist()


def test_head_maps_hold_every_score() -> None:
    figure = heat_maps(HEAD_MAPS, measured("retrieval_heads"))
    assert figure is not None
    for heat_map, (_, details) in zip(figure.data, measured("retrieval_heads"), strict=True):
        assert np.array(heat_map.z) == pytest.approx(details["scores"])


def test_without_details_there_are_no_figures_of_them() -> None:
    assert heat_maps(HEAD_MAPS, []) is None
    assert profile(DEPTHS, []) is None


def test_a_cell_without_samples_leaves_the_scale_to_the_others() -> None:
    ((report, arrays),) = measured("niah", REPORTS[:1])
    cells = np.array(arrays["ppl"])
    cells[0, 0] = np.nan

    figure = heat_maps(NIAH_MAPS, [(report, {**arrays, "ppl": cells})])

    assert figure is not None
    scale = figure.layout.coloraxis
    assert (scale.cmin, scale.cmax) == pytest.approx(
        (np.log(np.nanmin(cells)), np.log(np.nanmax(cells)))
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [("tokens", ["1K", "1000"]), ("percent", ["1024 %", "1000 %"]), ("number", ["1024", "1000"])],
)
def test_values_along_an_axis_are_written_as_it_says(text: str, told: list[str]) -> None:
    arrays = {"along": np.array([1_024, 1_000])}

    assert labels(Axis("a", "A", "along", text), arrays) == told
    assert labels(Axis("a", "A"), arrays) is None
