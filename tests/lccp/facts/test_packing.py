from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.facts.packing import Packed, SharedValue


@dataclass(frozen=True)
class Layout(SharedValue):
    names: tuple[str, ...]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(VALUES)
def test_a_value_comes_back_equal(value: object) -> None:
    packed = Packed(value)

    assert packed.unpacked() == value
    assert packed.unpacked() == value


def test_what_many_share_is_not_packed() -> None:
    one, other = Layout(("a",) * 10_000), Layout(("b",))
    packed = Packed({"x": [one, one], "y": other})

    found = packed.unpacked()
    assert found["x"][0] is found["x"][1] is one
    assert found["y"] is other
