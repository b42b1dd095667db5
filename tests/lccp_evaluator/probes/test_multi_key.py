"""The definitions of `lccp.probes.multi_key`, on handmade records."""

import math
from typing import Any

import pytest
from made_records import contexts, plain_records, signals

from lccp.probes.multi_key import MultiKeySettings
from lccp_evaluator.probes import multi_key
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.look_alikes import RIGHT, WRONG

ASKED = MultiKeySettings(lengths=(100, 200), groups=(2, 3), haystacks=2, sets=2)
Question = tuple[int, int, int, int]
"""Length, haystack, set, and size of the group."""


def records(answers: dict[Question, tuple[float, tuple[float, ...]]]) -> Records:
    """Questions with the NLL of their right value, and of each wrong one."""
    nll, labels, roles = [], [], []
    for (length, haystack, number, group), (right, wrong) in answers.items():
        told = {"nominal_length": length, "haystack": haystack, "set": number}
        for role, values in ((RIGHT, (right,)), (WRONG, wrong)):
            nll += [[value, value] for value in values]
            labels += [told | {"question": 0, "group": group}] * len(values)
            roles += [role] * len(values)
    return plain_records("multi_key", nll, labels, roles)


GRID = {
    (200, haystack, number, 2): (1.0 + haystack, (3.0 + number,))
    for haystack in range(2)
    for number in range(2)
}


def found(answers: dict[Question, Any], source: int = 100) -> dict[str, Any]:
    return signals(multi_key.measure(records(answers), ASKED, contexts(source)))


def test_the_margin_is_to_the_likeliest_wrong_value() -> None:
    answers = {(200, h, s, 3): (1.0, (2.0 + h, 9.0)) for h in range(2) for s in range(2)}

    assert found(answers)["multi_key_margin/3"].value == pytest.approx(1.5)


def test_right_values_have_a_perplexity_and_a_share_of_choices() -> None:
    values = found(GRID | {(200, 1, 1, 2): (5.0, (4.0,))})

    assert values["multi_key_ppl/2"].value == pytest.approx(math.exp((1 + 1 + 2 + 5) / 4))
    assert values["multi_key_choice/2"].value == 0.75
    assert values["multi_key_choice/2"].by_cluster["set"] == (1.0, 0.5)


def test_clusters_are_haystacks_and_sets() -> None:
    margin = found(GRID)["multi_key_margin/2"]

    assert margin.by_cluster["haystack"] == pytest.approx((2.5, 1.5))
    assert margin.by_cluster["set"] == pytest.approx((1.5, 2.5))
    assert margin.value == pytest.approx(2.0)


def test_prompts_within_the_source_context_are_guards() -> None:
    within = {(100, h, s, 2): (1.0, (2.0,)) for h in range(2) for s in range(2)}

    assert {name.rpartition("/")[0] for name in found(within)} == {
        "multi_key_ppl_guard",
        "multi_key_margin_guard",
        "multi_key_choice_guard",
    }
    assert "multi_key_ppl/2" in found(GRID | within)


def test_every_question_is_told_with_both_likelihoods() -> None:
    samples = multi_key.measure(records(GRID), ASKED, contexts(100)).samples

    assert samples["nll"].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert samples["wrong_nll"].tolist() == [3.0, 4.0, 3.0, 4.0]
    assert samples["haystack"].tolist() == [0, 0, 1, 1]
