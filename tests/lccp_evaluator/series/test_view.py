from dataclasses import replace
from pathlib import Path

import pytest
from reports import a_report

from lccp_evaluator.series.view import Unmeasured, View

ROWS = (
    Unmeasured(Path("a"), 10, "Incomplete", "incomplete"),
    Unmeasured(Path("b"), 20, "Waiting", "waiting"),
    Unmeasured(Path("c"), 30, "Waiting", "waiting"),
)


def test_the_next_is_the_first_that_waits() -> None:
    assert View((), ROWS).next is ROWS[1]
    assert View((), ROWS[:1]).next is None


def test_the_state_of_one_is_replaced() -> None:
    seen = View((), ROWS).with_state(Path("b"), "Evaluating", "half")
    assert seen.unmeasured[1] == replace(ROWS[1], state="Evaluating", note="half")
    assert (seen.unmeasured[0], seen.unmeasured[2]) == (ROWS[0], ROWS[2])


@pytest.mark.parametrize(
    ("state", "reached"),
    [("Waiting", False), ("Converting", False), ("Failed", True), ("Deleted", True)],
)
def test_tokens_are_reached_by_a_report_or_by_what_will_have_none(state, reached: bool) -> None:
    assert View((), (replace(ROWS[2], state=state),)).reached(30) is reached
    assert not View((), (replace(ROWS[2], state=state),)).reached(31)
    assert View((a_report(30, nll=0.5),), ()).reached(30)
