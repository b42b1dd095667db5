"""Whole documents: which are used, how they are cut, and what notes say about them."""

import hashlib
import json
from pathlib import Path
from typing import Literal

import pytest
from tiny_checkpoints import a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.corpus_ppl import Corpus, CorpusPplSettings, resolved
from lccp.probes.probe import Contexts
from lccp_evaluator.sampling import corpora
from lccp_evaluator.sampling.samples import Drawn
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer

CONTEXTS = Contexts(source=64, target=128, model=128)
LONG, SHORT = "river stone light " * 200, "river"


@pytest.fixture(scope="module", params=["byte pairs", "pieces with BOS"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    a_tokenizer(request.param).save_pretrained(folder)
    return Tokenizer(folder)


def _corpus(folder: Path, *texts: str) -> Corpus:
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return Corpus(name="own", path=str(path))


def _asked(*corpus: Corpus, **more: object) -> CorpusPplSettings:
    given = {"corpora": corpus, "documents": 2, **more}
    return resolved(CorpusPplSettings(**given), CONTEXTS)


def _draw(asked: CorpusPplSettings, tokenizer: Tokenizer) -> Drawn:
    return corpora.draw(asked, tokenizer, Files(Path()))


def test_documents_that_are_too_short_are_passed_over(tmp_path: Path, tokenizer: Tokenizer) -> None:
    texts = (SHORT, f"first {LONG}", SHORT, f"second {LONG}", f"third {LONG}")
    drawn = _draw(_asked(_corpus(tmp_path, *texts), short_length=32), tokenizer)

    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in (texts[1], texts[3])]
    assert list(drawn.names["document"]) == hashes
    assert [one.length for one in drawn.samples] == [128, 64, 32] * 2


def test_a_beginning_is_the_beginning_of_its_document(tmp_path: Path, tokenizer: Tokenizer) -> None:
    drawn = _draw(_asked(_corpus(tmp_path, LONG, f"other {LONG}")), tokenizer)
    whole, guard = (
        [token for part, start, stop in one.slices for token in drawn.parts[part][start:stop]]
        for one in drawn.samples[:2]
    )
    text = [*tokenizer.leading, *tokenizer.opening(LONG).ids]
    assert whole == text[:128]
    assert guard == text[:64]
    assert drawn.samples[0].answer == (1, 128)


def test_equal_lengths_are_drawn_once(tmp_path: Path, tokenizer: Tokenizer) -> None:
    drawn = _draw(_asked(_corpus(tmp_path, LONG, LONG)), tokenizer)
    assert [one.role for one in drawn.samples] == ["whole", "guard"] * 2


def test_too_few_documents_are_refused_with_their_number(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    asked = _asked(_corpus(tmp_path, LONG, SHORT))
    with pytest.raises(InvalidInput, match=r"corpora\[0\].path: 1 of its 2 documents have 128"):
        _draw(asked, tokenizer)


@pytest.mark.parametrize("language", ["English", "Chinese", "Code"])
def test_text_that_lccp_makes_up_is_long_enough_and_said(
    tmp_path: Path, language: Literal["English", "Chinese", "Code"]
) -> None:
    a_tokenizer("byte pairs").save_pretrained(tmp_path)
    drawn = _draw(_asked(Corpus(name="made", language=language)), Tokenizer(tmp_path))

    assert drawn.samples[0].length == 128
    assert len(set(drawn.names["document"])) == 2
    assert "made is text that LCCP makes up" in drawn.notes[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"length": 256}, "corpusPpl.length lies beyond model.targetContextLength"),
        ({"length": 64, "guard_length": 100}, "guardLength: 100 is not between 2 tokens and"),
        ({"short_length": 1}, "shortLength: 1 is not between 2 tokens and"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(given: dict[str, int], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        resolved(CorpusPplSettings(**given), CONTEXTS)
