"""The definitions of `lccp.probes.target_ppl`, on handmade records."""

import math

import pytest
from made_records import contexts, plain_records, signals

from lccp.probes.target_ppl import TargetPplSettings
from lccp_evaluator.probes import target_ppl
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.targets import FULL, NONE

ASKED = TargetPplSettings(path="questions.jsonl", length=64)


def _records(texts: tuple[int, ...]) -> Records:
    """A question of three tokens about each of `texts`: its NLL is 1 + its number, 5 without."""
    with_context = [[1.0 + number] * 3 for number in range(len(texts))]
    labels = [{"context": text, "line": line} for line, text in enumerate(texts)]
    roles = [FULL] * len(texts) + [NONE] * len(texts)
    return plain_records("target_ppl", with_context + [[5.0] * 3] * len(texts), labels * 2, roles)


def test_perplexity_and_gain_are_of_the_answers_with_their_context_and_without() -> None:
    found = signals(target_ppl.measure(_records((0, 1)), ASKED, contexts(2)))
    assert found["target_ppl"].value == pytest.approx(math.exp(1.5))
    assert found["target_context_gain"].value == pytest.approx(5 - 1.5)
    assert found["target_score"].value == 1
    assert found["target_ppl"].by_cluster["context"] == pytest.approx((math.e, math.exp(2)))


def test_texts_weigh_alike_however_many_questions_are_asked_about_them() -> None:
    found = signals(target_ppl.measure(_records((0, 0, 0, 1)), ASKED, contexts(2)))
    assert found["target_ppl"].value == pytest.approx(math.exp((2 + 4) / 2))
    assert found["target_context_gain"].value == pytest.approx(5 - 3)
    assert found["target_ppl"].n == 4


def test_prompts_within_the_source_context_are_guards() -> None:
    found = signals(target_ppl.measure(_records((0, 1)), ASKED, contexts(64)))
    assert set(found) == {"target_ppl_guard", "target_score_guard", "target_context_gain_guard"}


def test_a_band_with_one_text_is_not_measured_and_that_is_said() -> None:
    measurement = target_ppl.measure(_records((0, 0)), ASKED, contexts(2))
    assert signals(measurement) == {}
    assert "extension is not measured: all its questions are about one text" in measurement.notes[0]
