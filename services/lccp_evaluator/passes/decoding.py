"""Greedy decoding: what a model generates after a prompt, one token per pass.

A prompt is read in passes of bounded size, whose keys and values are kept; then each generated
token is one pass. Where beginnings are not shared, every pass covers the whole text so far.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lccp_evaluator.passes.arena import Arena
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import AnswerRows, Piece
from lccp_evaluator.passes.step import Step
from lccp_evaluator.passes.work import Work

Logits = Callable[[Step], Iterable[Tensor]]
"""Runs a step: logits [n, V] at blocks of its kept rows."""


def say(passage: Passage, step_tokens: int | None, ends: set[int], logits: Logits) -> Iterator[int]:
    """Generate the tokens after the prompt of `passage`, at most `passage.say` of them.

    Args:
        step_tokens: of a pass, at most; None: no pass uses the results of another.
        ends: tokens that end a text; they are not yielded.
    """
    ids = passage.ids[: passage.answer[0]]
    arena, done = Arena(len(ids) + passage.say), 0
    for _ in range(passage.say):
        token = _next(ids, done, step_tokens, arena, logits)
        if token in ends:
            return
        yield token
        done = 0 if step_tokens is None else len(ids)
        ids = np.append(ids, token)


def said_work(passage: Passage, step_tokens: int | None) -> Work:
    """The cost of `say`, if the text does not end earlier."""
    if not passage.say:
        return Work()
    start, stop = passage.answer[0], passage.answer[0] + passage.say - 1
    judged = (AnswerRows(0, 0, 0, 1),)
    if step_tokens is None:
        pieces = [Piece(0, 0, end, 0, (), 0, judged) for end in range(start, stop + 1)]
    else:
        ends = [*range(0, start, step_tokens), *range(start, stop + 1)]
        pieces = [Piece(0, low, high, 0, (), 0, judged) for low, high in pairwise(ends)]
    return Work.of([(piece,) for piece in pieces], [passage], watches=False)


def _next(
    ids: NDArray[np.integer], done: int, step_tokens: int | None, arena: Arena, logits: Logits
) -> int:
    """The likeliest token after `ids`, of which the first `done` are already computed."""
    passage = Passage(ids, (len(ids), len(ids) + 1))
    found: list[Tensor] = []
    for start in range(done, len(ids), step_tokens or len(ids)):
        stop = min(len(ids), start + (step_tokens or len(ids)))
        judged = (AnswerRows(0, stop - start - 1, 0, 1),) if stop == len(ids) else ()
        before = ((0, start),) if start else ()
        piece = Piece(0, start, stop, 0, before, start, judged)
        found = list(logits(Step([piece], [passage], arena, watches=False)))
    return int(found[-1][-1].argmax())
