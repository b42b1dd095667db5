"""Documents that repeat an earlier one, in any source."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lccp_trainer.data.shards import TokenShards

DIGEST_BYTES = 8
"""Among 10 million documents, two different ones are taken for equal once in 400,000 times."""


@dataclass(frozen=True)
class Repeated:
    """The documents of a source that already occurred in it, or in an earlier source."""

    documents: int
    tokens: int
    example: str | None
    """The first of them, and the document that it repeats."""


def originals(sources: Sequence[TokenShards]) -> NDArray[np.int64]:
    """For each document, numbered through all sources, the first equal one: usually itself.

    Reads all tokens once.
    """
    digests = np.concatenate([_digests(shards) for shards in sources])
    _, first, which = np.unique(digests, return_index=True, return_inverse=True)
    found: NDArray[np.int64] = first[which]
    return found


def repeated(sources: Sequence[TokenShards], earlier: NDArray[np.int64]) -> list[Repeated]:
    """The documents of each source that repeat an earlier one.

    Args:
        earlier: for each document, numbered through all sources, the one that it repeats, or
            itself.
    """
    found, begin = [], 0
    starts = np.cumsum([0, *(len(shards) for shards in sources)])
    for shards in sources:
        own = np.arange(begin, begin + len(shards))
        again = own[earlier[own] < own]
        example = None
        if len(again):
            places = [_place(sources, starts, int(n)) for n in (again[0], earlier[again[0]])]
            example = " repeats ".join(places)
        tokens = int(shards.lengths()[again - begin].sum())
        found.append(Repeated(len(again), tokens, example))
        begin += len(shards)
    return found


def _digests(shards: TokenShards) -> NDArray[np.uint64]:
    joined = b"".join(
        hashlib.blake2b(
            shards.read(number, 0, shards.length(number)).data, digest_size=DIGEST_BYTES
        ).digest()
        for number in range(len(shards))
    )
    return np.frombuffer(joined, dtype=np.uint64)


def _place(sources: Sequence[TokenShards], starts: NDArray[np.int64], number: int) -> str:
    source = int(np.searchsorted(starts, number, side="right")) - 1
    return sources[source].place(number - int(starts[source]))
