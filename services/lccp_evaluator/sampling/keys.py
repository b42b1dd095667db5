"""Whole documents of `long_ppl`, and the key tokens that a model chooses in them.

A sample is the tokenizer's leading tokens, then a document; its tokens from `shortLength` onward
are judged. Windows begin with the leading tokens too.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lccp.contract.errors import InvalidInput
from lccp.probes.long_ppl import LongPplSettings
from lccp_evaluator.passes.passage import Passage, Reading
from lccp_evaluator.sampling import corpora
from lccp_evaluator.sampling.samples import Drawn, FrozenSamples, Ids, Sample
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer

FIELD = "evaluation.probes.longPpl"
FEWEST_DOCUMENTS = 2
VERSION = 1


def draw(asked: LongPplSettings, tokenizer: Tokenizer, files: Files) -> Drawn:
    """The documents of `asked`, its lengths resolved, from `files`; keys are not chosen yet.

    Raises:
        InvalidInput: too few documents are long enough.
    """
    assert asked.length is not None
    assert asked.short_length is not None
    drawn = Drawn()
    leading = (drawn.part(tokenizer.leading),) if tokenizer.leading else ()
    found = corpora.long_enough(asked.texts, asked, tokenizer, files, f"{FIELD}.texts")
    for number, (_, ids) in enumerate(found):
        slices = (*leading, drawn.part(ids))
        answer = (asked.short_length, asked.length)
        drawn.samples.append(Sample(slices=slices, answer=answer, labels={"document": number}))
    return drawn


def key_model(asked: LongPplSettings) -> str | None:
    """Directory of the model that chooses the keys; None: the checkpoint."""
    return asked.key_model


def turns(
    frozen: FrozenSamples, sample: Sample, asked: LongPplSettings
) -> tuple[list[Passage], list[Passage]]:
    """Two turns: the document; its short windows, whose answers are together its judged tokens."""
    return [frozen.passage(sample)], list(_windows(frozen, sample, asked))


def choose(
    read: Sequence[Sequence[list[Reading]]], asked: LongPplSettings
) -> list[tuple[int, ...]]:
    """Indices of each document's key tokens among its judged ones, from readings of its `turns`.

    Raises:
        InvalidInput: fewer than two documents have a key token.
    """
    found = []
    for (whole,), windows in read:
        short = np.concatenate([one.nll for one in windows])
        found.append(tuple(np.flatnonzero(is_key(whole.nll, short, asked)).tolist()))
    having = sum(map(bool, found))
    if having < FEWEST_DOCUMENTS:
        raise InvalidInput(
            f"{FIELD}: {having} of {len(found)} documents have a token that more than "
            f"{asked.short_length:,} tokens of context make likely, but an interval needs two: the "
            "model that chooses makes no use of long contexts: name one that does (keyModel), give "
            "longer or more documents, or lower minGain"
        )
    return found


def is_key(
    whole: NDArray[np.floating], short: NDArray[np.floating], asked: LongPplSettings
) -> NDArray[np.bool_]:
    """Whether tokens are keys, from their NLLs [N] with the whole context and with a short one."""
    gained: NDArray[np.bool_] = short - whole > asked.min_gain
    return gained & (whole < asked.max_nll)


def _windows(frozen: FrozenSamples, sample: Sample, asked: LongPplSettings) -> Iterator[Passage]:
    assert asked.short_length is not None
    assert asked.stride is not None
    ids = frozen.tokens(sample, (0, sample.length))
    before = sum(stop - start for _, start, stop in sample.slices[:-1])
    leading: Ids = ids[:before]
    for first in range(asked.short_length, sample.length, asked.stride):
        last = min(first + asked.stride, sample.length)
        start = first + asked.stride - asked.short_length + before
        window = np.concatenate((leading, ids[start:last]))
        yield Passage(window, (len(window) - (last - first), len(window)))
