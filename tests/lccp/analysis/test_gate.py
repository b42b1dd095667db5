"""How numbers answer the sentences of a gate."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from reports import HAYSTACKS
from series import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE, a_series, with_changes
from tiny_reports import POLICY, REGULAR

from lccp.analysis.gate import Interval, value_interval
from lccp.analysis.trajectory import Series, Trajectory
from lccp.analysis.verdict import judge_trajectory
from lccp.api.objects.verdict import Answer, Gate

WOBBLE = 1e-4 * (-1.0) ** np.arange(len(REGULAR))
RISING = WOBBLE + REGULAR / 4_000
FLAT = a_series(REGULAR, WOBBLE - 0.1)


def answered(sentences: Sequence[str], *series: Series) -> Gate:
    trajectory = Trajectory({one.signal.name: one for one in series})
    gate = judge_trajectory(trajectory, with_changes(POLICY, gate=tuple(sentences))).gate
    assert gate is not None
    return gate


@pytest.mark.parametrize(
    ("end", "sign", "bound", "answer"),
    [
        (None, ">=", 1.0, "Yes"),
        (None, ">", 1.0, "Undecided"),
        (None, ">=", 2.0, "Undecided"),
        (None, ">=", 3.5, "No"),
        (None, "<", 3.0, "Undecided"),
        (None, "<=", 3.0, "Yes"),
        ("lower", ">=", 2.0, "No"),
        ("upper", ">=", 2.0, "Yes"),
        ("upper", "<", 3.0, "No"),
        ("lower", "<", 3.0, "Yes"),
    ],
)
def test_a_whole_interval_decides_or_one_end_of_it(
    end: str | None, sign: str, bound: float, answer: Answer
) -> None:
    assert Interval(2.0, 1.0, 3.0).answers(end, sign, bound) == answer


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("niah_ppl < 1.2", "Yes"),
        ("niah_ppl > 1.2", "No"),
        ("niah_ppl gain < 0.02", "Yes"),
        ("niah_ppl gain > 0.02", "No"),
        ("niah_ppl is on a plateau", "Yes"),
        ("niah_ppl not improving", "Yes"),
        ("niah_ppl not on a plateau", "No"),
        ("niah_ppl is saturated", "Yes"),
        ("verdict is saturated", "Yes"),
        ("verdict not regressing", "Yes"),
        ("verdict improving", "No"),
        ("recovery >= 0.1", "Undecided"),
        ("recovery not regressing", "Undecided"),
        ("guards not regressing", "Undecided"),
    ],
)
def test_a_saturated_signal_answers(sentence: str, answer: Answer) -> None:
    (found,) = answered([sentence], FLAT).sentences

    assert (found.sentence, found.answer) == (sentence, answer)


def test_the_evidence_names_the_numbers() -> None:
    value, gain, absent = answered(
        ["niah_ppl < 2", "niah_ppl gain < 1", "recovery gain > 0"], FLAT
    ).sentences

    assert value.evidence.startswith("niah_ppl is 1.105, between 1.105 and 1.105")
    assert gain.evidence.startswith("niah_ppl gain is ")
    assert absent.evidence == "recovery has no gain with an interval"


@pytest.mark.parametrize(
    ("values", "spread", "answer"),
    [(RISING, 0.0, "Yes"), (-RISING, 0.0, "No"), (WOBBLE, 0.5, "Undecided")],
)
def test_guards_are_known_not_to_regress_only_by_their_intervals(
    values: np.ndarray, spread: float, answer: Answer
) -> None:
    guard = a_series(REGULAR, values, NIAH_PPL_GUARD, spread)

    assert answered(["guards not regressing"], FLAT, guard).answer == answer


def test_one_guard_that_regresses_is_enough() -> None:
    """Its name is in the evidence beside the others'."""
    guards = (a_series(REGULAR, -RISING, NIAH_PPL_GUARD), a_series(REGULAR, WOBBLE, NIAH_SCORE))
    trajectory = Trajectory({one.signal.name: one for one in (FLAT, *guards)})
    policy = with_changes(POLICY, gate=("guards regressing",), guards=(NIAH_PPL_GUARD, NIAH_SCORE))

    gate = judge_trajectory(trajectory, policy).gate

    assert gate is not None
    assert gate.answer == "Yes"
    assert NIAH_SCORE in gate.sentences[0].evidence


@pytest.mark.parametrize(
    ("sentences", "answer"),
    [
        (["niah_ppl < 2", "verdict saturated"], "Yes"),
        (["niah_ppl < 2", "recovery > 0"], "Undecided"),
        (["recovery > 0", "niah_ppl > 2"], "No"),
    ],
)
def test_a_gate_is_passed_by_all_and_failed_by_one(sentences: list[str], answer: Answer) -> None:
    assert answered(sentences, FLAT).answer == answer


def test_before_the_first_checkpoint_all_is_undecided() -> None:
    gate = answered(["niah_ppl < 2"])

    assert gate.answer == "Undecided"
    assert gate.sentences[0].evidence == "nothing is measured yet"


def test_the_interval_of_a_value_is_in_its_unit_and_around_it() -> None:
    series = a_series([100, 200], [-0.1, -0.2], NIAH_PPL, spread=0.01)
    found = value_interval(series, 250, 0.95)

    assert found is not None
    assert found.value == pytest.approx(math.exp(0.2))
    assert found.lower < found.value < found.upper
    assert found.upper * found.lower == pytest.approx(found.value**2)
    wider = value_interval(series, 250, 0.99)
    assert wider is not None
    assert wider.upper > found.upper


def test_a_value_that_was_not_measured_or_on_one_cluster_has_none() -> None:
    series = a_series([100, 200], [-0.1, -0.2])
    alone = Series(series.signal, series.tokens, series.values, {"haystack": np.zeros((2, 1))})

    assert value_interval(series, 50, 0.95) is None
    assert value_interval(alone, 250, 0.95) is None
    assert series.clusters["haystack"].shape[1] == HAYSTACKS
