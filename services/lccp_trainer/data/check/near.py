"""Documents that are nearly equal to an earlier one, in any source.

Two documents are nearly equal if they share four fifths of their 5-grams (Jaccard similarity, as in
Lee et al., arXiv 2107.06499, section 4.2). The share is estimated by MinHash with one permutation
(Li, Owen and Zhang, arXiv 1208.1259), in which empty bins borrow from the next (Shrivastava and Li,
arXiv 1406.4784).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lccp_trainer.data.check.overlap import ngram_hashes
from lccp_trainer.data.shards import Tokens, TokenShards

NGRAM_TOKENS = 5
SIMILARITY = 0.8
BIN_BITS = 6
BINS = 2**BIN_BITS
"""Minima of a document; the estimate of 0.8 has a standard deviation of 0.05."""
BANDS = 16
"""Documents that agree in all bins of a band are compared: at a similarity of 0.8, a pair is missed
once in 5,000 times."""
EMPTY = np.uint32(2**32 - 1)
_STEP = np.uint32(0x9E3779B1)
"""Added for each bin across which a minimum was borrowed."""


def nearly_equal(sources: Sequence[TokenShards], equal: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each document, numbered through all sources, a nearly equal earlier one, or itself.

    Reads all tokens once. Documents of fewer than 5 tokens, and those equal to an earlier one, are
    assigned to themselves.

    Args:
        equal: for each document, the first equal one.
    """
    sketches = [sketch for shards in sources for sketch in _sketches(shards)]
    long = np.array([n for n, one in enumerate(sketches) if one is not None and equal[n] == n])
    earlier = np.arange(len(sketches))
    if not len(long):
        return earlier
    minima = np.stack([one for n in long if (one := sketches[n]) is not None])
    for later, before in _candidates(minima):
        similar = (minima[later] == minima[before]).mean(axis=1) >= SIMILARITY
        earlier[long[later[similar]]] = long[before[similar]]
    return earlier


def sketch_of(tokens: Tokens) -> NDArray[np.uint32] | None:
    """The smallest hash of each bin [BINS]; None if the document has no n-gram."""
    hashes = ngram_hashes(tokens, NGRAM_TOKENS)
    if not len(hashes):
        return None
    minima = np.full(BINS, EMPTY, dtype=np.uint32)
    bins = hashes >> np.uint64(64 - BIN_BITS)
    values = ((hashes << np.uint64(BIN_BITS)) >> np.uint64(32)).astype(np.uint32)
    np.minimum.at(minima, bins.astype(np.intp), values)
    filled, every = np.flatnonzero(minima != EMPTY), np.arange(BINS)
    lender = filled[np.searchsorted(filled, every) % len(filled)]
    borrowed: NDArray[np.uint32] = ((lender - every) % BINS).astype(np.uint32) * _STEP
    return minima[lender] + borrowed


def _sketches(shards: TokenShards) -> Iterator[NDArray[np.uint32] | None]:
    for number in range(len(shards)):
        yield sketch_of(shards.read(number, 0, shards.length(number)))


def _candidates(
    minima: NDArray[np.uint32],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Documents, each with an earlier one that agrees in a band: the last such, then the first."""
    for band in np.split(minima, BANDS, axis=1):
        rows = np.ascontiguousarray(band).view(f"V{band.shape[1] * band.itemsize}").ravel()
        _, first, which = np.unique(rows, return_index=True, return_inverse=True)
        ordered = np.argsort(which, kind="stable")
        same = which[ordered[1:]] == which[ordered[:-1]]
        yield ordered[1:][same], ordered[:-1][same]
        yield ordered[1:][same], first[which[ordered[1:][same]]]
