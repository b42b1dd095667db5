"""Text of the evaluation is found in the data, however it is cut."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from token_shards import shards_of

from lccp_trainer.data.check.overlap import NGRAM_TOKENS, Overlap, ngram_hashes, overlap

RANDOM = np.random.default_rng(3)


def text(length: int) -> list[int]:
    return RANDOM.integers(0, 50_000, length).tolist()


def as_tokens(ids: list[int]) -> np.ndarray:
    return np.array(ids, dtype=np.uint32)


def test_a_passage_that_was_copied_is_found_but_for_its_edges(tmp_path: Path) -> None:
    asked, other = text(100), text(100)
    shards = shards_of(tmp_path / "a", [text(50)], [text(10) + asked[20:90] + text(30)])
    found = overlap([as_tokens(asked), as_tokens(other)], [shards])
    ngrams = 100 - NGRAM_TOKENS + 1
    assert found == Overlap(2 * ngrams, 70 - NGRAM_TOKENS + 1, 2, 1)


def test_a_passage_at_the_edge_of_a_part_is_found(tmp_path: Path) -> None:
    asked = text(60)
    shards = shards_of(tmp_path / "a", [text(70) + asked + text(7)])
    parts = list(shards.chunks(100, NGRAM_TOKENS - 1))
    assert [len(part) for part in parts] == [112, 37]
    both = np.concatenate([ngram_hashes(part) for part in parts])
    assert set(ngram_hashes(as_tokens(asked))) <= set(both)
    assert len(both) == 137 - NGRAM_TOKENS + 1


def test_other_data_shares_nothing(tmp_path: Path) -> None:
    found = overlap([as_tokens(text(500))], [shards_of(tmp_path / "a", [text(5_000)])])
    assert (found.share, found.documents_found) == (0.0, 0)


def test_texts_too_short_for_an_n_gram_count_nothing(tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "a", [[1, 2, 3]])
    assert overlap([as_tokens([1, 2, 3])], [shards]) == Overlap(0, 0, 1, 0)
    assert overlap([], [shards]) == Overlap(0, 0, 0, 0)


@pytest.mark.slow
@given(st.lists(st.integers(0, 3), min_size=NGRAM_TOKENS, max_size=40))
def test_equal_n_grams_and_only_they_have_equal_hashes(ids: list[int]) -> None:
    hashes = ngram_hashes(as_tokens(ids)).tolist()
    ngrams = [tuple(ids[at : at + NGRAM_TOKENS]) for at in range(len(ids) - NGRAM_TOKENS + 1)]
    assert [(a == b) for a in hashes for b in hashes] == [(a == b) for a in ngrams for b in ngrams]
