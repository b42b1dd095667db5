"""Turns passages into tokens, each of which is predicted or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lccp_trainer.data.records.rendering import Passage


class PassageTokenizer(Protocol):
    """The methods used of a Hugging Face tokenizer."""

    eos_token_id: int | None

    def __call__(self, text: list[str], *, add_special_tokens: bool, verbose: bool) -> Any: ...


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token ids of a record, and which of them are predicted; of equal length."""

    ids: NDArray[np.int32]
    predicted: NDArray[np.bool_]


def tokenized(passages: Sequence[Passage], tokenizer: PassageTokenizer) -> list[Tokens]:
    """The tokens of each passage; it ends with an end-of-text token, which is predicted.

    A span's beginning and end are found by tokenizing the text up to them. The first token that
    differs then belongs to the span: a model given that beginning has yet to write it. This needs
    no offsets, which not every tokenizer gives.
    """
    texts = [(p.marked, text) for p in passages for text in (p.text, *_beginnings(p))]
    encoded: dict[tuple[bool, str], list[int]] = {}
    for marked in (False, True):
        own = list(dict.fromkeys(text for m, text in texts if m == marked))
        if own:
            ids = tokenizer(own, add_special_tokens=marked, verbose=False)["input_ids"]
            encoded |= {(marked, text): of for text, of in zip(own, ids, strict=True)}
    return [_tokens(passage, encoded, tokenizer.eos_token_id) for passage in passages]


def _beginnings(passage: Passage) -> Iterable[str]:
    bounds = {bound for span in passage.spans for bound in span}
    return (passage.text[:bound] for bound in sorted(bounds - {len(passage.text)}))


def _tokens(
    passage: Passage, encoded: dict[tuple[bool, str], list[int]], end: int | None
) -> Tokens:
    ids = encoded[passage.marked, passage.text]
    if end is not None and ids[-1:] != [end]:
        ids = [*ids, end]
    predicted = np.zeros(len(ids), dtype=np.bool_)
    for start, stop in passage.spans:
        first = _common(encoded[passage.marked, passage.text[:start]], ids)
        last = len(ids)
        if stop < len(passage.text):
            last = _common(encoded[passage.marked, passage.text[:stop]], ids)
        predicted[first:last] = True
    predicted[:1] = False
    return Tokens(np.array(ids, dtype=np.int32), predicted)


def _common(first: list[int], second: list[int]) -> int:
    """Number of tokens with which both begin."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
