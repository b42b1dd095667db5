"""When checkpoints are saved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.spec.checkpoints import CheckpointsSpec
from lccp.contract.errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({"everyTokens": 40}, (40, 80, 100)),
        ({"everyTokens": 50}, (50, 100)),
        ({"everyTokens": 200}, (100,)),
        ({"atTokens": [7, 99]}, (7, 99, 100)),
        ({"everyTokens": 40, "atTokens": [40, 50]}, (40, 50, 80, 100)),
    ],
)
def test_the_end_of_the_budget_is_always_due(
    given: dict[str, object], due: tuple[int, ...]
) -> None:
    assert CheckpointsSpec.parse(given, "c").due(100) == due


@given(st.integers(1, 50), st.sets(st.integers(1, 200), max_size=5), st.integers(200, 500))
def test_what_is_due_ascends_within_the_budget(every: int, at: set[int], budget: int) -> None:
    due = CheckpointsSpec(every_tokens=every, at_tokens=tuple(sorted(at))).due(budget)

    assert list(due) == sorted(set(due))
    assert at <= set(due)
    assert due[-1] == budget


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "set everyTokens or atTokens"),
        ({"atTokens": []}, "set everyTokens or atTokens"),
        ({"atTokens": [2, 1]}, "atTokens must be in ascending order"),
        ({"atTokens": [1, 1]}, "atTokens must be in ascending order"),
        ({"everyTokens": 1, "keepStates": 0}, "keepStates: "),
    ],
)
def test_checkpoints_that_are_never_made_or_out_of_order_are_refused(
    given: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        CheckpointsSpec.parse(given, "c")
