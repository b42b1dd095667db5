"""Samples are used with the settings and the tokenizer that they were drawn for, or refused."""

import pytest

from lccp.contract.errors import Incompatible
from lccp_evaluator.sampling.header import Header

HEADER = Header(
    probe="niah", version=3, settings={"seed": 0}, tokenizer_digest="words", vocabulary=10
)


def test_samples_of_the_same_settings_and_tokenizer_are_used() -> None:
    HEADER.check(3, {"seed": 0}, "words", "samples/niah")


@pytest.mark.parametrize(
    ("version", "settings", "tokenizer", "sentence"),
    [
        (
            4,
            {"seed": 0},
            "words",
            "samples/niah: was drawn by version 3 .* this LCCP has version 4",
        ),
        (3, {"seed": 0}, "letters", "samples/niah: was drawn with another tokenizer"),
        (3, {"seed": 1}, "words", r"other settings of evaluation.probes.niah \(seed\)"),
        (3, {}, "words", r"other settings of evaluation.probes.niah \(fewer\)"),
    ],
)
def test_others_are_refused_in_a_sentence(
    version: int, settings: dict[str, int], tokenizer: str, sentence: str
) -> None:
    with pytest.raises(Incompatible, match=sentence):
        HEADER.check(version, settings, tokenizer, "samples/niah")
