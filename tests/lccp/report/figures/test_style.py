"""The axes and colours of all figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.report.figures.style import THEMES, TokenAxis, log_axis, log_ticks, translucent


@given(st.floats(1.0001, 50), st.floats(1.00001, 1e4))
def test_ticks_of_a_log_scale_are_few_and_inside(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert len(ticks) <= 20
    assert all(low <= tick <= low * factor for tick in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("tokens", "suffix", "at"),
    [
        ([], "", 500.0),
        ([999], "", 500.0),
        ([10, 1_500_000], " M", 0.0005),
        ([2 * 10**11], " B", 5e-7),
    ],
)
def test_tokens_are_in_the_unit_of_the_most(tokens: list[int], suffix: str, at: float) -> None:
    axis = TokenAxis.of(tokens)

    assert axis.style(title_text="t")["ticksuffix"] == suffix
    assert axis.style(title_text="t")["title_text"] == "t"
    assert axis(500) == pytest.approx(at)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0], [1.0, 1.001], [1.0, 1_000.0]])
def test_a_log_axis_holds_its_values_and_has_ticks_however_narrow_it_is(
    values: list[float],
) -> None:
    axis = log_axis(values, "PPL")
    low, high = (10**end for end in axis["range"])

    assert low < min(values) <= max(values) < high
    assert axis["tickvals"]
    assert [float(text) for text in axis["ticktext"]] == pytest.approx(axis["tickvals"])


def test_a_colour_is_made_translucent() -> None:
    assert translucent("#ff8000", 0.5) == "rgba(255,128,0,0.5)"


def test_both_themes_have_the_same_parts() -> None:
    light, dark = (theme["layout"] for theme in THEMES.values())

    assert light.keys() == dark.keys()
    assert light["font"]["color"] != dark["font"]["color"]
