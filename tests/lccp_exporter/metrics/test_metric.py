"""Shapes that most metrics have."""

from enum import StrEnum

import a_run
import pytest

from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.metric import (
    by_tokens,
    of_heartbeat,
    of_journal,
    of_verdict,
    one,
    one_hot,
    padded,
)

BARE = ExportedFacts("default", "tiny")


class State(StrEnum):
    ON = "On"
    OFF = "Off"


def test_one_series_of_each_run() -> None:
    assert one(lambda facts: float(len(facts.run)))(BARE) == [((), 4.0)]


def test_what_nobody_wrote_has_no_value() -> None:
    for of in (of_heartbeat, of_journal, of_verdict):
        assert of(lambda _: 1.0)(BARE) == [((), None)]
    beating = ExportedFacts("d", "t", heartbeat=a_run.heartbeat(), journal=a_run.journal())
    assert of_heartbeat(lambda beat: beat.attempt)(beating) == [((), 1)]
    assert of_journal(lambda journal: len(journal.attempts))(beating) == [((), 1)]


def test_one_state_is_1_and_the_others_0() -> None:
    assert one_hot(State, State.OFF) == [(("On",), 0.0), (("Off",), 1.0)]


def test_the_last_points_have_all_their_values() -> None:
    points = {tokens: {("ppl", "guard"): float(tokens), ("score", ""): 0.5} for tokens in (1, 2, 3)}
    assert list(by_tokens(points, 2)) == [
        (("ppl", "guard", "000000000000002"), 2.0),
        (("score", "", "000000000000002"), 0.5),
        (("ppl", "guard", "000000000000003"), 3.0),
        (("score", "", "000000000000003"), 0.5),
    ]


@pytest.mark.parametrize(("number", "text"), [(0, "0000"), (42, "0042"), (12_345, "12345")])
def test_labels_sort_as_numbers_do(number: int, text: str) -> None:
    assert padded(number, 4) == text
