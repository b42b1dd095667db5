"""Names of signals, and sentences of a gate."""

import pytest
from pydantic import TypeAdapter, ValidationError

from lccp.contract.signals import GateSentence, SignalName

NAME, SENTENCE = TypeAdapter(SignalName), TypeAdapter(GateSentence)


@pytest.mark.parametrize("name", ["niah_ppl", "corpus_ppl/english", "multi_key_ppl/8", "a/b-c.d_e"])
def test_a_signal_may_have_a_part_of_its_own(name: str) -> None:
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize("name", ["", "Niah", "1a", "a/", "a/b/c", "a b", "a/-b", "a" * 64])
def test_what_names_no_signal_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(name)


@pytest.mark.parametrize(
    "sentence",
    [
        "recovery >= 0.8",
        "recovery lower bound >= 0.8",
        "niah_ppl gain upper bound < 0.02",
        "corpus_ppl/english gain > -0.01",
        "guards not regressing",
        "guards are not regressing",
        "niah_ppl is on a plateau",
        "verdict saturated",
    ],
)
def test_a_gates_sentence_asks_for_a_number_or_a_state(sentence: str) -> None:
    assert SENTENCE.validate_python(sentence) == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "recovery = 0.8",
        "recovery >= much",
        "recovery >= 1e-3",
        "recovery middle bound >= 0.8",
        "guards not fine",
        "recovery >= 0.8 ",
        "recovery >= 0.8\n",
        "recovery >= 0.8 or so",
    ],
)
def test_a_sentence_that_is_none_is_answered_by_its_grammar(sentence: str) -> None:
    with pytest.raises(ValidationError, match="a gate's sentence must be SIGNAL"):
        SENTENCE.validate_python(sentence)
