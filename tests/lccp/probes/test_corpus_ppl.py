"""Settings and signals of whole documents."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.corpus_ppl import (
    DEFAULT_CORPORA,
    PROBE,
    Corpus,
    CorpusPplSettings,
    documents,
    resolved,
    signals,
)
from lccp.probes.probe import Contexts

LONG = Contexts(8_192, 65_536, 65_536)


@pytest.mark.parametrize(
    ("contexts", "lengths"),
    [
        (LONG, (65_536, 8_192, 4_096)),
        (Contexts(256, 512, 512), (512, 256, 256)),
        (Contexts(1_024, 512, 512), (512, 512, 512)),
    ],
)
def test_default_lengths_are_target_source_and_4k(
    contexts: Contexts, lengths: tuple[int, int, int]
) -> None:
    used = resolved(CorpusPplSettings(), contexts)

    assert (used.length, used.guard_length, used.short_length) == lengths
    assert used.corpora == DEFAULT_CORPORA


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (CorpusPplSettings(length=1_024, guard_length=2_048), "guardLength: 2048 is not between"),
        (CorpusPplSettings(short_length=1), "shortLength: 1 is not between 2 tokens"),
        (CorpusPplSettings(length=131_072), "length exceeds model.targetContextLength"),
    ],
)
def test_a_length_that_does_not_fit_is_named(settings: CorpusPplSettings, field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"evaluation\.probes\.corpusPpl\.{field}"):
        resolved(settings, LONG)


def test_the_first_length_beyond_the_target_is_told() -> None:
    assert PROBE.fits(CorpusPplSettings(guard_length=512), 512) is None
    wrong = PROBE.fits(CorpusPplSettings(guard_length=1_024, short_length=2_048), 512)
    assert wrong is not None
    assert "corpusPpl.guardLength" in wrong


def test_each_corpus_has_signals_of_its_own() -> None:
    settings = CorpusPplSettings(corpora=(Corpus(name="a", path="x"), Corpus(name="b")))

    names = [signal.name for signal in signals(settings)]
    assert len(set(names)) == len(names)
    assert {"corpus_ppl/a", "corpus_ppl_guard/b"} <= set(names)
    path = "evaluation.probes.corpusPpl.corpora[0].path"
    assert documents(settings) == {path: settings.corpora[0]}


def test_two_corpora_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="names of corpora must be distinct"):
        CorpusPplSettings.parse({"corpora": [{"name": "a"}, {"name": "a"}]}, "corpusPpl")
