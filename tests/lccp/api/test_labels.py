"""Labels of workloads, and keys that sort."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.labels import RUN, evaluation_key, is_own, of_workload, tokens_key

COUNTS = st.integers(0, 10**15 - 1)


@given(COUNTS, COUNTS)
def test_keys_sort_as_numbers_do(one: int, other: int) -> None:
    assert (tokens_key(one) < tokens_key(other)) == (one < other)
    assert evaluation_key(one, "s") == f"{tokens_key(one)}/s"


def test_a_workload_is_found_by_labels_that_are_lccps_own() -> None:
    labels = of_workload("tiny", "evaluator", tokens="4096")

    assert labels[RUN] == "tiny"
    assert labels["lccp.io/tokens"] == "4096"
    assert labels["app.kubernetes.io/component"] == "evaluator"
    assert all(map(is_own, labels))


@pytest.mark.parametrize("name", ["team", "app.kubernetes.io/version", "lccp.io", "my.lccp.io/run"])
def test_a_persons_own_label_is_not_lccps(name: str) -> None:
    assert not is_own(name)
