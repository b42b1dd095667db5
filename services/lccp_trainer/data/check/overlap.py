"""How much of the evaluation's documents occurs in the documents that a run trains on.

N-grams of 13 tokens are compared; Brown et al. (arXiv 2005.14165, appendix C) use as many words. A
copied text shares all of them except those at its edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lccp_trainer.data.shards import Tokens, TokenShards

NGRAM_TOKENS = 13
CHUNK_TOKENS = 2**22
TABLE_BITS = 24
"""Bits of a hash in the table that rules out most n-grams before they are looked up."""

_FACTORS = np.random.default_rng(13).integers(
    2**63, 2**64, NGRAM_TOKENS, dtype=np.uint64
) | np.uint64(1)


@dataclass(frozen=True)
class Overlap:
    """How many n-grams of an evaluation's documents were found."""

    ngrams: int
    found: int
    documents: int
    documents_found: int
    """Documents with at least half of their n-grams found."""

    @property
    def share(self) -> float:
        """Share of the n-grams found, 0 to 1."""
        return self.found / self.ngrams if self.ngrams else 0.0


def overlap(evaluation: Sequence[Tokens], sources: Sequence[TokenShards]) -> Overlap:
    """How much of `evaluation` occurs in `sources`. Reads all tokens once.

    N-grams that begin in one document and end in the next are looked up too. They match nothing:
    they hold an end-of-text token, which no evaluation document has inside.
    """
    hashes = [ngram_hashes(tokens) for tokens in evaluation]
    wanted = np.unique(np.concatenate([*hashes, np.empty(0, dtype=np.uint64)]))
    found = _found(wanted, sources)
    hits = [found[np.searchsorted(wanted, own)] for own in hashes]
    return Overlap(
        ngrams=sum(map(len, hashes)),
        found=sum(int(hit.sum()) for hit in hits),
        documents=len(hits),
        documents_found=sum(bool(len(hit) and hit.mean() >= 0.5) for hit in hits),
    )


def _found(wanted: NDArray[np.uint64], sources: Sequence[TokenShards]) -> NDArray[np.bool_]:
    """Which of the hashes, in ascending order, occur among the n-grams of the sources."""
    found = np.zeros(len(wanted), dtype=np.bool_)
    if not len(wanted):
        return found
    shift = np.uint64(64 - TABLE_BITS)
    table = np.zeros(2**TABLE_BITS, dtype=np.bool_)
    table[wanted >> shift] = True
    for shards in sources:
        for tokens in shards.chunks(CHUNK_TOKENS, NGRAM_TOKENS - 1):
            hashes = ngram_hashes(tokens)
            hashes = hashes[table[hashes >> shift]]
            at = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
            found[at[wanted[at] == hashes]] = True
    return found


def ngram_hashes(tokens: Tokens, size: int = NGRAM_TOKENS) -> NDArray[np.uint64]:
    """A hash of each n-gram of `tokens`, [tokens - size + 1]; `size` is at most 13.

    The multilinear hash (Lemire and Kaser, The Computer Journal 2014): the sum of the tokens, each
    times a factor for its place, modulo 2^64.
    """
    count = max(0, len(tokens) - size + 1)
    total = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(_FACTORS[:size]):
        total += (tokens[place : place + count].astype(np.uint64) + np.uint64(1)) * factor
    return total
