"""The mixture of sources."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.spec.data import DataSource, DataSpec
from lccp.contract.errors import InvalidInput


def sources(*kinds_and_weights: tuple[str, float]) -> list[dict[str, Any]]:
    return [
        {"name": f"s{number}", "kind": kind, "path": "p", "weight": str(weight)}
        for number, (kind, weight) in enumerate(kinds_and_weights)
    ]


def a_spec(fraction: float, *given: tuple[str, float]) -> DataSpec:
    return DataSpec.parse({"shortFraction": str(fraction), "sources": sources(*given)}, "data")


def test_a_source_has_its_part_of_what_its_kind_gives() -> None:
    spec = a_spec(0.2, ("Short", 1), ("Short", 3), ("Long", 5))

    assert [spec.share(source) for source in spec.sources] == pytest.approx([0.05, 0.15, 0.8])
    assert spec.weight_of("Short") == 4


def test_a_kind_without_weight_gives_nothing() -> None:
    spec = a_spec(0, ("Short", 0), ("Long", 1))

    assert [spec.share(source) for source in spec.sources] == [0, 1]


@given(st.floats(0.01, 0.99), st.lists(st.floats(0.1, 9), min_size=1, max_size=4))
def test_shares_add_up_to_all(fraction: float, weights: list[float]) -> None:
    spec = a_spec(fraction, ("Short", 1), *(("Long", weight) for weight in weights))

    assert sum(spec.share(source) for source in spec.sources) == pytest.approx(1)


@pytest.mark.parametrize(
    ("fraction", "given", "sentence"),
    [
        (0.25, [("Long", 1)], "shortFraction above 0 gives tokens to sources of kind Short"),
        (0.25, [("Long", 1), ("Short", 0)], "none has a weight above 0"),
        (0.5, [("Short", 1)], "shortFraction below 1 gives tokens to sources of kind Long"),
        (1.5, [("Short", 1)], "shortFraction: "),
    ],
)
def test_tokens_that_no_source_gives_are_refused(
    fraction: float, given: list[tuple[str, float]], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        a_spec(fraction, *given)


def test_names_are_distinct() -> None:
    with pytest.raises(InvalidInput, match="source names must be distinct"):
        DataSpec.parse({"shortFraction": "0", "sources": 2 * sources(("Long", 1))}, "data")


@pytest.mark.parametrize("name", ["", "A", "-a", "a_b", "a" * 64])
def test_a_name_that_no_label_takes_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="s: name: string should"):
        DataSource.parse({"name": name, "kind": "Long", "path": "p"}, "s")
