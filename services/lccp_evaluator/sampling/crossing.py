"""Needles in haystacks, crossed: the same haystacks and needles in every cell of length x depth.

A sample of length L has exactly L tokens, including its answer:

    opening | haystack before | needle | haystack after | question | answer

Needle and answer are the same tokens, tokenized after the same white space. Shorter samples use
the beginning of a haystack, and needles are at positions that lengths share (`positions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings
from lccp.probes.settings.prompts import Needle
from lccp_evaluator.sampling import haystacks
from lccp_evaluator.sampling.haystacks import Stream
from lccp_evaluator.sampling.positions import cell, pick, tolerance_percent
from lccp_evaluator.sampling.samples import Drawn, Labels, Sample, Slice, Span, part_of
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.sources.words import folded, telling
from lccp_evaluator.sampling.tokenization import Tokenizer, space_between

FIELD = "evaluation.probes.niah"
VERSION = 4
FULL, NONE, ORACLE = "full", "none", "oracle"
"""Roles: a cell's prompt; only the question; the question with only the needle as context."""


@dataclass(frozen=True)
class _Needle:
    """Tokens of a needle, their number before its key, and tokens of its question."""

    ids: tuple[int, ...]
    key_start: int
    question: tuple[int, ...]


@dataclass(frozen=True)
class _Frame:
    """What surrounds the haystack in a prompt of one needle."""

    opening: Slice
    needle: Slice
    question: Slice
    key_start: int

    def room(self, length: int) -> int:
        """Tokens of haystack in a sample of `length` tokens."""
        return length - self.opening[2] - self.question[2] - 2 * self.needle[2]

    def without_context(self, number: int) -> Sample:
        """The question about needle `number` and its answer, with no context to find it in."""
        return self.sample(NONE, (), None, {"needle": number})

    def with_needle_alone(self, number: int) -> Sample:
        """The same with only needle `number` as the context."""
        return self.sample(ORACLE, (self.needle,), None, {"needle": number})

    def sample(
        self, role: str, context: tuple[Slice, ...], needle: Span | None, labels: Labels
    ) -> Sample:
        """The sample with `context` between opening and question."""
        slices = (self.opening, *context, self.question, self.needle)
        length = sum(stop - start for _, start, stop in slices)
        return Sample(
            role=role,
            slices=slices,
            needle=needle,
            answer=(length - self.needle[2], length),
            key_start=self.key_start,
            labels=labels,
        )


def draw(niah: NiahSettings, tokenizer: Tokenizer, files: Files) -> Drawn:
    """The samples of `niah`, its defaults resolved; haystacks come from `files`.

    Raises:
        InvalidInput: a length cannot hold its needle, a needle has unknown tokens, or the haystack
            is too small.
    """
    drawn = Drawn()
    frames = _frames(niah, tokenizer, drawn)
    _check_room(niah, frames)
    longest = max(frame.room(niah.lengths[-1]) for frame in frames)
    words = telling(text for one in niah.needles for text in (one.stem, one.key))
    count, where = _counted(niah), f"{FIELD}.haystack"
    units = haystacks.units(niah.haystack, files, count, longest, words, where)
    _check_absent(niah.needles, units.texts)
    streams = haystacks.draw(units.texts, tokenizer, count, longest, niah.seed, where)
    contexts = [drawn.part(stream.ids) for stream in streams]
    cells = list(product(niah.lengths, niah.depths_percent, range(len(frames))))
    before = [_positions(stream, cells, frames) for stream in streams]
    for length, depth, haystack, needle in product(
        niah.lengths, niah.depths_percent, range(len(streams)), range(len(frames))
    ):
        room, at = frames[needle].room(length), before[haystack][length, depth, needle]
        labels = {
            "depth_percent": depth,
            "achieved_depth_percent": round(100 * at / room, 3),
            "haystack": haystack,
            "needle": needle,
        }
        context = part_of(contexts[haystack], 0, room)
        drawn.samples.append(_sample(frames[needle], context, at, labels))
    for needle, frame in enumerate(frames):
        drawn.samples += [frame.without_context(needle), frame.with_needle_alone(needle)]
    if units.left_out:
        drawn.notes.append(
            f"niah: {units.left_out:,} sentences of the haystacks' text are left out, since they "
            "hold words of needles"
        )
    return drawn


def around_needle(sample: Sample) -> tuple[int, int]:
    """Tokens of haystack before the needle of a full `sample`, and after it."""
    _, before, _, after, *_ = (stop - start for _, start, stop in sample.slices)
    return before, after


def _counted(niah: NiahSettings) -> int:
    assert niah.haystacks is not None
    return niah.haystacks


def _positions(
    stream: Stream, cells: Sequence[tuple[int, int, int]], frames: Sequence[_Frame]
) -> dict[tuple[int, int, int], int]:
    """Tokens of the haystack before the needle in each cell (length, depth, needle)."""
    sentences, words = (
        np.flatnonzero(begins) for begins in (stream.begins_sentence, stream.begins_word)
    )
    tolerance = tolerance_percent(sorted({depth for _, depth, _ in cells}))
    placed = [
        cell(frames[needle].room(length), depth, tolerance, sentences, words)
        for length, depth, needle in cells
    ]
    return dict(zip(cells, pick(placed), strict=True))


def _sample(frame: _Frame, context: Slice, before: int, labels: Labels) -> Sample:
    """The sample with `before` tokens of `context` before its needle."""
    start, room = frame.opening[2] + before, context[2] - context[1]
    parts = (part_of(context, 0, before), frame.needle, part_of(context, before, room))
    return frame.sample(FULL, parts, (start, start + frame.needle[2]), labels)


def _frames(niah: NiahSettings, tokenizer: Tokenizer, drawn: Drawn) -> list[_Frame]:
    head, tail = niah.template.split("{context}")
    opening = drawn.part(tokenizer.beginning(head))
    needles = [
        _needle(needle, f"{FIELD}.needles[{number}]", tail, niah.separator, tokenizer)
        for number, needle in enumerate(niah.needles)
    ]
    return [
        _Frame(opening, drawn.part(one.ids), drawn.part(one.question), one.key_start)
        for one in needles
    ]


def _needle(needle: Needle, where: str, tail: str, separator: str, tokenizer: Tokenizer) -> _Needle:
    beginning = f"{separator}{needle.stem}{space_between(needle.stem, needle.key)}"
    sentence = tokenizer.following(f"{beginning}{needle.key}")
    asked = tail.replace("{question}", needle.question)
    try:
        question = tokenizer.following(asked, tokenizer.marks(tail, needle.question))
    except InvalidInput as error:
        raise InvalidInput(f"{where}.question: {error}") from None
    key_start = sum(end <= len(beginning) for _, end in sentence.offsets)
    is_known = tokenizer.knows(sentence) and tokenizer.knows(question)
    if not is_known or key_start == len(sentence.ids):
        raise InvalidInput(
            f"{where}: {needle.stem!r} holds text that the model's tokenizer does not know, in "
            f"{_unknown_field(needle, tokenizer)}: use words of its vocabulary"
        )
    return _Needle(sentence.ids, key_start, question.ids)


def _unknown_field(needle: Needle, tokenizer: Tokenizer) -> str:
    fields = {"stem": needle.stem, "key": needle.key, "question": needle.question}
    unknown = [
        name for name, text in fields.items() if not tokenizer.knows(tokenizer.opening(text))
    ]
    return " and ".join(unknown) or "template or separator"


def _check_absent(needles: Sequence[Needle], texts: Sequence[str]) -> None:
    """Raise InvalidInput if the answer of a needle occurs in the haystack's text."""
    whole = "\n".join(folded(" ".join(text.split())) for text in texts)
    for number, needle in enumerate(needles):
        if folded(" ".join(needle.key.split())) in whole:
            raise InvalidInput(
                f"{FIELD}.needles[{number}].key: {needle.key!r} occurs in the haystack's text, so "
                "it would be found without its needle: use another needle or haystack"
            )


def _check_room(niah: NiahSettings, frames: list[_Frame]) -> None:
    shortest = niah.lengths[0]
    for number, frame in enumerate(frames):
        if frame.room(shortest) < 1:
            raise InvalidInput(
                f"{FIELD}.lengths: {shortest} tokens are too few for needle {number}, which takes "
                f"{shortest + 1 - frame.room(shortest)} with question and answer: request "
                "longer prompts"
            )
