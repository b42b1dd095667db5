"""Settings and signals of key tokens."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.long_ppl import PROBE, LongPplSettings, documents, resolved, signals
from lccp.probes.probe import Contexts
from lccp.probes.settings.prompts import Documents

LONG = Contexts(8_192, 65_536, 65_536)
MADE_UP = Documents()


@pytest.mark.parametrize(
    ("contexts", "lengths"),
    [(LONG, (65_536, 4_096, 1_024)), (Contexts(256, 512, 512), (512, 256, 64))],
)
def test_windows_are_of_4k_or_half_a_document(
    contexts: Contexts, lengths: tuple[int, int, int]
) -> None:
    used = resolved(LongPplSettings(texts=MADE_UP), contexts)

    assert (used.length, used.short_length, used.stride) == lengths


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"short_length": 65_536}, "shortLength: 65,536 is not between"),
        ({"stride": 4_096}, "stride: 4,096 is not less than shortLength"),
        ({"length": 131_072}, "length exceeds model.targetContextLength"),
    ],
)
def test_a_length_that_does_not_fit_is_named(given: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"evaluation\.probes\.longPpl\.{field}"):
        resolved(LongPplSettings(texts=MADE_UP, **given), LONG)


def test_the_first_length_beyond_the_target_is_told() -> None:
    assert PROBE.fits(LongPplSettings(texts=MADE_UP, short_length=512), 512) is None
    wrong = PROBE.fits(LongPplSettings(texts=MADE_UP, short_length=1_024, stride=600), 512)
    assert wrong is not None
    assert "longPpl.shortLength" in wrong


def test_texts_in_files_are_documents_and_made_up_ones_are_none() -> None:
    own = Documents(path="books.jsonl")

    assert documents(LongPplSettings(texts=own)) == {"evaluation.probes.longPpl.texts.path": own}
    assert documents(LongPplSettings(texts=MADE_UP)) == {}


def test_keys_and_others_are_judged_on_the_logarithmic_scale() -> None:
    found = signals(LongPplSettings(texts=MADE_UP))

    assert [signal.name for signal in found] == ["long_ppl", "long_ppl_other"]
    assert {signal.scale for signal in found} == {"Log"}
