"""Settings and signals of the user's own questions."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.probe import Contexts
from lccp.probes.target_ppl import PROBE, TargetPplSettings, documents, resolved, signals

GIVEN = TargetPplSettings(path="q.jsonl")


def test_the_default_length_is_the_target() -> None:
    assert resolved(GIVEN, Contexts(256, 512, 512)).length == 512


def test_the_texts_are_the_field_that_holds_the_context() -> None:
    (texts,) = documents(TargetPplSettings(path="q.jsonl", context_field="text")).values()

    assert (texts.path, texts.format, texts.text_field) == ("q.jsonl", "JSONL", "text")


def test_a_length_beyond_the_target_is_told() -> None:
    long = TargetPplSettings(path="q.jsonl", length=1_024)

    assert PROBE.fits(GIVEN, 512) is None
    assert "targetPpl.length exceeds" in str(PROBE.fits(long, 512))
    with pytest.raises(InvalidInput, match=r"targetPpl\.length exceeds"):
        resolved(long, Contexts(256, 512, 512))


def test_context_question_and_answer_are_fields_of_their_own() -> None:
    with pytest.raises(InvalidInput, match="must be distinct"):
        TargetPplSettings.parse({"path": "q", "contextField": "answer"}, "targetPpl")


def test_signals_of_both_bands_are_declared() -> None:
    names = {signal.name for signal in signals(GIVEN)}

    assert {"target_ppl", "target_score", "target_context_gain"} <= names
    assert {"target_ppl_guard", "target_score_guard", "target_context_gain_guard"} <= names
