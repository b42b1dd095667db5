"""Greedy decoding: what a model generates after a prompt, one token per pass.

Where beginnings are shared, the prompt's keys and values are already there, from the pass that
judged the right answer, and a pass has one token. Elsewhere every pass covers the whole text so
far.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from torch import Tensor

from lccp_evaluator.passes.arena import Arena
from lccp_evaluator.passes.passage import Passage, Span
from lccp_evaluator.passes.schedule import AnswerRows, Piece, first, joined
from lccp_evaluator.passes.step import Step
from lccp_evaluator.passes.work import Work

Logits = Callable[[Step], Iterable[Tensor]]
"""Runs a step: logits [n, V] at blocks of its kept rows."""


def say(
    passage: Passage,
    arena: Arena,
    prompt: tuple[Span, ...] | None,
    ends: set[int],
    logits: Logits,
) -> Iterator[int]:
    """Generate the tokens after the prompt of `passage`, at most `passage.say` of them.

    Args:
        arena: its last `passage.say` slots are overwritten; all may be without a `prompt`.
        prompt: slots of the prompt; None: no pass uses the results of another.
        ends: tokens that end a text; they are not yielded.
    """
    start = passage.answer[0]
    ids, free = passage.ids[:start], arena.slots - passage.say
    for length in range(start, start + passage.say):
        piece = _piece(length, prompt, start, free)
        text = Passage(ids, (length, length + 1))
        *_, found = logits(Step([piece], [text], arena, watches=False))
        token = int(found[-1].argmax())
        if token in ends:
            return
        yield token
        ids = np.append(ids, token)


def said_work(passage: Passage, forked: bool) -> Work:
    """The cost of `say`, if the text does not end earlier; `forked`: beginnings are shared."""
    start = passage.answer[0]
    prompt = ((0, start),) if forked else None
    lengths = range(start, start + passage.say)
    steps = [(_piece(length, prompt, start, start),) for length in lengths]
    return sum((Work.of([step], [passage], watches=False) for step in steps), Work())


def _piece(length: int, prompt: tuple[Span, ...] | None, start: int, free: int) -> Piece:
    """The pass that predicts the token after a text of `length` tokens, `start` in its prompt.

    Without the slots of the `prompt`, it covers the whole text. With them, it covers the last
    token, and keys and values from that of the prompt's last token onward are in slots from `free`.
    """
    if prompt is None:
        return Piece(0, 0, length, 0, (), 0, (AnswerRows(0, length - 1, 0, 1),))
    known, slot = first(prompt, start - 1), free + length - start
    before = joined(known, (free, slot)) if slot > free else known
    return Piece(0, length - 1, length, 0, before, slot, (AnswerRows(0, 0, 0, 1),))
