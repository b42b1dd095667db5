"""Greedy decoding: what a model generates after prompts, one token of each per pass.

Where beginnings are shared, a prompt's keys and values are already there, from the pass that judged
the right answer. They are copied beside the others', so that several prompts are answered together,
each by one token per pass. Elsewhere prompts are answered one by one, and a token takes passes over
the whole text so far, or only over the last token if the model reads on from its own cache.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lccp_evaluator.passes.arena import Arena
from lccp_evaluator.passes.passage import Passage, Span
from lccp_evaluator.passes.schedule import AnswerRows, Piece, first, joined
from lccp_evaluator.passes.step import Step
from lccp_evaluator.passes.work import Work

HELD_PASSES = 8
"""Prompts that wait to be answered together have at most the tokens of this many passes."""

Logits = Callable[[Step], Iterable[Tensor]]
"""Runs a step: logits [n, V] at blocks of its kept rows."""


@dataclass
class Text:
    """The prompt of passage `number`, what was generated after it, `said`, and at most `say` tokens
    of it; `known` are the slots of the prompt but its last token, and `free` that token's own.
    """

    number: int
    prompt: NDArray[np.integer]
    say: int
    known: tuple[Span, ...] = ()
    free: int = 0
    said: list[int] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens so far."""
        return len(self.prompt) + len(self.said)

    def passage(self) -> Passage:
        """The text, and the token after it."""
        ids = np.append(self.prompt, np.array(self.said, self.prompt.dtype))
        return Passage(ids, (self.length, self.length + 1))

    def last(self, row: int = 0) -> Piece:
        """The last token, which predicts the next; it is number `row` of its step."""
        slot = self.free + len(self.said)
        before = joined(self.known, (self.free, slot)) if self.said else self.known
        return Piece(row, self.length - 1, self.length, row, before, slot, (_next(row, row),))


class Waiting:
    """Prompts to be answered together: those whose keys and values fit into `room` slots.

    `slots` is where these begin.
    """

    def __init__(self, passages: Sequence[Passage], slots: int, room: int) -> None:
        says = sorted(one.answer[0] + one.say for one in passages if one.say)
        self._left = len(says)
        self._room = min(room, sum(says[1:]))  # one is answered where it is, maybe the shortest
        self._start = slots
        self._at = slots
        self.slots = slots + self._room + max((one.say for one in passages), default=0)
        self._texts: list[Text] = []

    def take(self, text: Text, prompt: tuple[Span, ...], arena: Arena) -> list[Text]:
        """The texts to be answered now: none, or all that wait, and `text`, whose prompt's keys and
        values are in the slots `prompt`.
        """
        self._left -= 1
        known, tokens = first(prompt, len(text.prompt) - 1), len(text.prompt) + text.say
        self._texts.append(text)
        if not self._left or self._at + tokens > self._start + self._room:
            text.known, text.free = known, self._start + self._room
            texts, self._texts, self._at = self._texts, [], self._start
            return texts
        arena.copy(known, self._at)
        text.free = self._at + len(text.prompt) - 1
        text.known = ((self._at, text.free),) if text.free > self._at else ()
        self._at += tokens
        return []


def say(texts: Sequence[Text], arena: Arena, ends: set[int], logits: Logits) -> None:
    """Generate what follows every one of `texts`, up to a token of `ends`, by their slots."""
    going = list(texts)
    while going:
        pieces = [text.last(row) for row, text in enumerate(going)]
        step = Step(pieces, [text.passage() for text in going], arena, watches=False)
        found = [token for block in logits(step) for token in block.argmax(-1).tolist()]
        going = [
            text for text, token in zip(going, found, strict=True) if _goes_on(text, token, ends)
        ]


def say_alone(
    text: Text, arena: Arena, step_tokens: int | None, resumes: bool, ends: set[int], logits: Logits
) -> None:
    """The same for one text by passes over all of it (`passes_of`)."""
    token = -1
    while token < 0 or _goes_on(text, token, ends):
        passage = text.passage()
        for pieces in passes_of(text, step_tokens, resumes):
            *_, found = logits(Step(pieces, [passage], arena, watches=False))
        token = int(found[-1].argmax())


def passes_of(text: Text, step_tokens: int | None, resumes: bool) -> Iterator[list[Piece]]:
    """The passes that predict the token after `text`, each of at most `step_tokens` tokens.

    If the model `resumes` where it stopped, those after the first generated token have one.
    """
    length = text.length
    if resumes and text.said:
        yield [text.last()]
        return
    at_once = step_tokens or length
    for start in range(0, length, at_once):
        stop = min(start + at_once, length)
        judged = (_next(0, stop - start - 1),) if stop == length else ()
        yield [Piece(0, start, stop, 0, ((0, start),) if start else (), start, judged)]


def said_work(
    passage: Passage, shared: bool, step_tokens: int | None = None, resumes: bool = False
) -> Work:
    """The cost of what follows the prompt of `passage` if it is answered alone, to the last token.

    `shared`: its keys and values are there.
    """
    start = passage.answer[0]
    text, work = Text(0, passage.ids[:start], passage.say, ((0, start - 1),), start), Work()
    for _ in range(passage.say):
        steps = [[text.last()]] if shared else list(passes_of(text, step_tokens, resumes))
        work += Work.of(steps, [text.passage()], watches=False)
        text.said.append(0)
    return work


def _next(passage: int, row: int) -> AnswerRows:
    return AnswerRows(passage, row, 0, 1)


def _goes_on(text: Text, token: int, ends: set[int]) -> bool:
    """Whether more is to be generated after `token`, which `text` is given unless it ends it."""
    if token in ends:
        return False
    text.said.append(token)
    return len(text.said) < text.say
