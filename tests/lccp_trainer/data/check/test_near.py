"""Slightly changed documents are found; documents that share less are not."""

from pathlib import Path

import numpy as np
import pytest
from token_shards import shards_of

from lccp_trainer.data.check.duplicates import originals
from lccp_trainer.data.check.near import BINS, nearly_equal, sketch_of
from lccp_trainer.data.check.overlap import ngram_hashes


def a_document(seed: int, length: int = 400) -> list[int]:
    return np.random.default_rng(seed).integers(0, 1_000, length).tolist()


def changed(document: list[int], every: int) -> list[int]:
    """Another token in every so many."""
    return [token + 1 if n % every == every // 2 else token for n, token in enumerate(document)]


def similarity(one: list[int], other: list[int]) -> float:
    first, second = (set(ngram_hashes(np.array(d, dtype=np.uint32), 5)) for d in (one, other))
    return len(first & second) / len(first | second)


def test_a_document_that_was_changed_a_little_is_found_in_whichever_source(tmp_path: Path) -> None:
    text = a_document(1)
    first = shards_of(tmp_path / "a", [a_document(0), text], [a_document(2)])
    second = shards_of(tmp_path / "b", [a_document(3), changed(text, 100), [1, 2]])
    sources = [first, second]
    assert nearly_equal(sources, originals(sources)).tolist() == [0, 1, 2, 3, 1, 5]


def test_documents_that_share_less_are_others(tmp_path: Path) -> None:
    text = a_document(1)
    other = changed(text, 14)
    assert 0.4 < similarity(text, other) < 0.6
    shards = shards_of(tmp_path / "a", [text, other])
    assert nearly_equal([shards], originals([shards])).tolist() == [0, 1]


def test_equal_documents_are_told_as_such_alone(tmp_path: Path) -> None:
    text = a_document(1)
    shards = shards_of(tmp_path / "a", [text, text, changed(text, 200)])
    assert nearly_equal([shards], originals([shards])).tolist() == [0, 1, 0]


def test_a_chain_of_changes_is_found_link_by_link(tmp_path: Path) -> None:
    texts = [a_document(1, 2_000)]
    for number in range(4):
        text = list(texts[-1])
        text[200 * number : 200 * number + 60] = a_document(number + 9, 60)
        texts.append(text)
    shards = shards_of(tmp_path / "a", texts)
    found = nearly_equal([shards], originals([shards]))
    assert (found[1:] < np.arange(1, 5)).all()


@pytest.mark.slow
@pytest.mark.parametrize("length", [5, 20, 100, 5_000])
def test_the_sketch_estimates_the_similarity(length: int) -> None:
    """On average, also of documents with fewer n-grams than bins."""
    errors = []
    for seed in range(40):
        text = a_document(seed, length)
        other = changed(text, 40)
        one, two = (sketch_of(np.array(d, dtype=np.uint32)) for d in (text, other))
        assert one is not None
        assert two is not None
        errors.append((one == two).mean() - similarity(text, other))
    assert abs(float(np.mean(errors))) < 0.06
    assert len(one) == BINS


def test_a_document_without_an_n_gram_has_no_sketch() -> None:
    assert sketch_of(np.array([1, 2, 3, 4], dtype=np.uint32)) is None
