"""Draw the frozen samples from settings, seed and tokenizer. No model has a say in it."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import Needle, NiahSettings
from lccp_evaluator.sampling import haystacks
from lccp_evaluator.sampling.haystacks import Stream
from lccp_evaluator.sampling.samples import (
    GENERATOR_VERSION,
    FrozenSamples,
    Header,
    NeedleLine,
    Sample,
)
from lccp_evaluator.sampling.tokenization import Tokenizer

FIELD = "evaluation.probes.niah"
TOLERANCE = 1 / 25
"""How far from its nominal depth a needle may stand to begin with a sentence, or else a word, as a
share of the haystack."""


@dataclass(frozen=True)
class _Frame:
    """What surrounds the haystack in a prompt of one needle."""

    opening: tuple[int, ...]
    needle: NeedleLine

    def room(self, length: int) -> int:
        """Tokens of haystack in a sample of `length` tokens."""
        return length - len(self.opening) - len(self.needle.question_ids) - 2 * len(self.needle.ids)


def draw(niah: NiahSettings, tokenizer: Tokenizer, digest: str, base: Path) -> FrozenSamples:
    """The samples of `niah`, its defaults resolved; relative paths start from `base`.

    Raises:
        InvalidInput: a length cannot hold its needle, a needle has unknown tokens, or the haystack
            is too small.
    """
    head, tail = niah.template.split("{context}")
    opening = (*tokenizer.leading, *tokenizer.opening(head).ids) if head else tokenizer.leading
    needles = tuple(
        _needle(needle, f"{FIELD}.needles[{number}]", tail, niah.separator, tokenizer)
        for number, needle in enumerate(niah.needles)
    )
    frames = [_Frame(opening, needle) for needle in needles]
    _check_room(niah, frames)
    longest = max(frame.room(niah.lengths[-1]) for frame in frames)
    texts = haystacks.units(niah.haystack, base, niah.haystacks, longest)
    streams = haystacks.draw(texts, tokenizer, niah.haystacks, longest, niah.seed)
    samples = tuple(
        _sample(length, depth, haystack, needle, streams[haystack], frames[needle])
        for length, depth, haystack, needle in product(
            niah.lengths, niah.depths_percent, range(niah.haystacks), range(len(needles))
        )
    )
    header = Header(
        generator_version=GENERATOR_VERSION,
        settings=niah.document(),
        tokenizer_digest=digest,
        vocabulary=tokenizer.vocabulary,
        opening=opening,
    )
    return FrozenSamples(header, tuple(stream.ids for stream in streams), needles, samples)


def insertion_point(stream: Stream, depth_percent: int) -> int:
    """Index of the token before which a needle at `depth_percent` stands.

    That is the nearest beginning of a sentence; if none is near, of a word; else the exact token.
    Both ends of the haystack are beginnings of sentences.
    """
    count = len(stream.ids)
    exact = count * depth_percent / 100
    for begins in (stream.begins_sentence, stream.begins_word):
        candidates = np.concatenate(([0], np.flatnonzero(begins), [count]))
        nearest = candidates[np.abs(candidates - exact).argmin()]
        if abs(nearest - exact) <= TOLERANCE * count:
            return int(nearest)
    return round(exact)


def _sample(
    length: int, depth: int, haystack: int, needle: int, stream: Stream, frame: _Frame
) -> Sample:
    room = frame.room(length)
    before = insertion_point(stream.last(room), depth)
    needle_start = len(frame.opening) + before
    size, key_start = len(frame.needle.ids), frame.needle.key_start
    return Sample(
        length=length,
        depth_percent=depth,
        achieved_depth_percent=round(100 * before / room, 3),
        haystack=haystack,
        needle=needle,
        needle_span=(needle_start, needle_start + size),
        key_span=(needle_start + key_start, needle_start + size),
        answer_span=(length - size, length),
        answer_key_span=(length - size + key_start, length),
    )


def _needle(
    needle: Needle, where: str, tail: str, separator: str, tokenizer: Tokenizer
) -> NeedleLine:
    sentence = tokenizer.following(f"{separator}{needle.stem} {needle.key}")
    question = tokenizer.following(tail.replace("{question}", needle.question))
    if tokenizer.unknown_id in (*sentence.ids, *question.ids):
        raise InvalidInput(
            f"{where}: holds text that the model's tokenizer does not know: use words of its "
            "vocabulary"
        )
    key_character = len(f"{separator}{needle.stem} ")
    key_start = sum(end <= key_character for _, end in sentence.offsets)
    return NeedleLine(ids=sentence.ids, key_start=key_start, question_ids=question.ids)


def _check_room(niah: NiahSettings, frames: list[_Frame]) -> None:
    shortest = niah.lengths[0]
    for number, frame in enumerate(frames):
        if frame.room(shortest) < 1:
            raise InvalidInput(
                f"{FIELD}.lengths: {shortest} tokens are too few for needle {number}, which takes "
                f"{shortest + 1 - frame.room(shortest)} with question and answer: ask for longer "
                "prompts"
            )
