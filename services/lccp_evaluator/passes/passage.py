"""A probe's request to the engine, and the result: passages and readings.

A probe that needs likelihoods or heads makes passages, in any number and order, and passes them to
`engine.Engine.read` in cohorts. It does not say how they are computed. Leading tokens that passages
have in common are computed once (see `tree`), so a probe gets all of these cheaply:

- one haystack with its needle at several places, cut at several lengths (niah, interference);
- hundreds of questions about one text of facts (retrieval_heads on biographies, multi_key);
- several answers to one question (the margin between the right value and wrong ones);
- every token of a document (`answer=(1, length)`, no needle: corpus_ppl, long_ppl).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
"""[start, stop) in the tokens of a passage."""

Heads = Sequence[tuple[int, int]]
"""Attention heads, each by its layer and its number in that layer."""


@dataclass(frozen=True)
class Passage:
    """Token ids [L] and the judged span of them, `answer`: from token 1 onward.

    With `needle`, the span that the answer repeats, every head is watched while it predicts the
    answer; without it, none is. With `bands`, the load of experts is reported for that number of
    equal parts of its tokens. With `say`, the model also generates, from where the answer begins,
    at most that number of tokens.
    """

    ids: NDArray[np.integer]
    answer: Span
    needle: Span | None = None
    bands: int = 0
    say: int = 0


@dataclass(frozen=True)
class Reading:
    """What a model made of a passage with an answer of M tokens.

    `nll` [M] in nats; `is_arg_max` [M]. Of the heads, if they were watched (else of no layer):

    - `copied` [layers, heads, M]: place in the needle of the token that the head looks at, if it is
      the token to be predicted, else -1;
    - `mass` [layers, heads]: share of the head's attention on the needle, mean over M;
    - `sees` [layers, M]: whether the heads of a layer see all of the needle; a head whose sliding
      window is too short for that cannot copy it, which is not a score of 0.

    Of the experts, if `Passage.bands` requested them (else empty): `load` [layers, bands,
    experts], how often each was chosen for the tokens of a band.

    `said` are the generated tokens, if `Passage.say` requested them, else none.
    """

    nll: NDArray[np.float32]
    is_arg_max: NDArray[np.bool_]
    copied: NDArray[np.int16]
    mass: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    sees: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    load: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    said: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
