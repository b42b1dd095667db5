"""Groups of look-alike needles in one haystack, with every value of a group as the answer.

A sample of length L has at most L tokens:

    opening | haystack with all needles of a set in it | question | one value

All samples of a haystack, a set and a length begin alike, so they share one pass.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from lccp.contract.errors import InvalidInput
from lccp.probes.multi_key import MultiKeySettings
from lccp_evaluator.sampling import haystacks
from lccp_evaluator.sampling.haystacks import Stream
from lccp_evaluator.sampling.samples import Drawn, Labels, Sample, Slice, part_of
from lccp_evaluator.sampling.sources import biographies
from lccp_evaluator.sampling.sources.biographies import Fact
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.sources.words import telling
from lccp_evaluator.sampling.tokenization import Tokenizer

FIELD = "evaluation.probes.multiKey"
RIGHT, WRONG = "right", "wrong"
"""Roles: the value of the name in question, and a value of another name of the group."""
VERSION = 1


@dataclass(frozen=True)
class _LookAlike:
    """A needle of the group of `size`: its sentence, its question, and its value."""

    size: int
    sentence: Slice
    question: Slice
    value: Slice


@dataclass(frozen=True)
class _Set:
    """All needles of a set, in their order in the haystack."""

    needles: tuple[_LookAlike, ...]

    @property
    def tokens(self) -> int:
        """Tokens of all needles, and of the longest question with an answer."""
        asked = max(needle.question[2] for needle in self.needles)
        answered = max(needle.value[2] for needle in self.needles)
        return sum(needle.sentence[2] for needle in self.needles) + asked + answered


def draw(multi_key: MultiKeySettings, tokenizer: Tokenizer, files: Files) -> Drawn:
    """The samples of `multi_key`, its defaults resolved; haystacks come from `files`.

    Raises:
        InvalidInput: a length cannot hold the needles, or the haystack is too small.
    """
    head, tail = multi_key.template.split("{context}")
    drawn = Drawn()
    opening = drawn.part(tokenizer.beginning(head))
    facts = [list(_facts(multi_key, number)) for number in range(multi_key.sets)]
    sets = [
        _set(own, number, multi_key, tail, tokenizer, drawn) for number, own in enumerate(facts)
    ]
    _check_room(multi_key, opening[2], sets)
    longest = multi_key.lengths[-1]
    words = telling(fact.value for own in facts for _, fact in own)
    count, where = multi_key.haystacks, f"{FIELD}.haystack"
    units = haystacks.units(multi_key.haystack, files, count, longest, words, where)
    streams = haystacks.draw(units.texts, tokenizer, count, longest, multi_key.seed, where)
    contexts = [drawn.part(stream.ids) for stream in streams]
    for length, haystack, number in product(multi_key.lengths, range(count), range(len(sets))):
        own = sets[number]
        room = length - opening[2] - own.tokens
        before = evenly_spread(streams[haystack].first(room), len(own.needles))
        context = _with_needles(part_of(contexts[haystack], 0, room), before, own.needles)
        labels: Labels = {"nominal_length": length, "haystack": haystack, "set": number}
        drawn.samples += _samples((opening, *context), own.needles, before, room, labels)
    if units.left_out:
        drawn.notes.append(
            f"multiKey: {units.left_out:,} sentences of the haystacks' text are left out, since "
            "they hold words of values"
        )
    return drawn


def _facts(multi_key: MultiKeySettings, number: int) -> Iterator[tuple[int, Fact]]:
    """The facts of a set, with the size of their groups; every group has its own attribute."""
    people = sum(multi_key.groups)
    document = biographies.document(people, f"multi_key/{multi_key.seed}/{number}")
    names = list(dict.fromkeys(fact.name for fact in document.facts))
    attributes = biographies.attributes()
    for turn, size in enumerate(multi_key.groups):
        own, names = names[:size], names[size:]
        attribute = attributes[(number + turn) % len(attributes)]
        for fact in document.facts:
            if fact.attribute == attribute and fact.name in own:
                yield size, fact


def _set(
    facts: Sequence[tuple[int, Fact]],
    number: int,
    multi_key: MultiKeySettings,
    tail: str,
    tokenizer: Tokenizer,
    drawn: Drawn,
) -> _Set:
    is_marked = tokenizer.marks(tail)

    def part(text: str, is_marked: bool = False) -> Slice:
        return drawn.part(tokenizer.following(text, is_marked).ids)

    needles = [
        _LookAlike(
            size,
            part(f" {fact.stem} {fact.value}."),
            part(f"{tail.replace('{question}', fact.question)} {fact.stem}", is_marked),
            part(f" {fact.value}"),
        )
        for size, fact in facts
    ]
    random.Random(f"{multi_key.seed}/{number}").shuffle(needles)
    return _Set(tuple(needles))


def evenly_spread(stream: Stream, count: int) -> list[int]:
    """Tokens before which to put `count` needles, each in the middle of its share of the haystack.

    It is the nearest that begins a sentence; if none in the share does, the nearest that begins
    a word: vocabularies that join a full stop and line breaks leave few of the former.
    """
    share = len(stream.ids) / count
    sentences = np.concatenate(([0], np.flatnonzero(stream.begins_sentence)))
    words = np.flatnonzero(stream.begins_word | stream.begins_sentence)
    found = []
    for at in (share * (number + 0.5) for number in range(count)):
        is_near = np.abs(sentences - at).min() <= share / 2
        begins = sentences if is_near or not len(words) else words
        found.append(int(begins[np.abs(begins - at).argmin()]))
    return found


def _with_needles(
    context: Slice, before: Sequence[int], needles: Sequence[_LookAlike]
) -> tuple[Slice, ...]:
    edges = [*before, context[2] - context[1]]
    found = [part_of(context, 0, before[0])]
    for needle, (start, stop) in zip(needles, pairwise(edges), strict=True):
        found += [needle.sentence, part_of(context, start, stop)]
    return tuple(one for one in found if one[1] < one[2])


def _samples(
    beginning: tuple[Slice, ...],
    needles: Sequence[_LookAlike],
    before: Sequence[int],
    room: int,
    labels: Labels,
) -> Iterator[Sample]:
    """Every question about a set, with every value of its group."""
    for number, asked in enumerate(needles):
        depth = round(100 * before[number] / room, 3)
        told_by = labels | {
            "group": asked.size,
            "question": number,
            "achieved_depth_percent": depth,
        }
        for other in needles:
            if other.size == asked.size:
                slices = (*beginning, asked.question, other.value)
                length = sum(stop - start for _, start, stop in slices)
                yield Sample(
                    role=RIGHT if other is asked else WRONG,
                    slices=slices,
                    answer=(length - other.value[2], length),
                    labels=told_by,
                )


def _check_room(multi_key: MultiKeySettings, opening: int, sets: Sequence[_Set]) -> None:
    shortest = multi_key.lengths[0]
    needed = opening + max(own.tokens for own in sets)
    if shortest <= needed:
        raise InvalidInput(
            f"{FIELD}.lengths: {shortest} tokens are too few for the needles of a set, which take "
            f"{needed} with question and answer: request longer prompts or smaller groups"
        )
