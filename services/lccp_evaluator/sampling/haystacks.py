"""The text around the needle: documents, cut into units, in a seeded order for each haystack."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lccp.contract.errors import InvalidInput
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.sources.documents import documents
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.sources.words import holds_any
from lccp_evaluator.sampling.tokenization import TokenizedText, Tokenizer, check_known

CHARACTERS_PER_TOKEN = 12
"""More than tokens have on average: reading stops once there is enough text."""
FEWEST_CHARACTERS_PER_TOKEN = 2

PARAGRAPH_END = re.compile(r"\n\s*\n")
LINE_END = re.compile(r"\n\s*")
SENTENCE_START = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+|(?<=[。！？])")
STARTS = (SENTENCE_START, LINE_END)


@dataclass(frozen=True)
class Units:
    """Texts of which haystacks are composed, each with the white space that separates it."""

    texts: list[str]
    left_out: int
    """Number of sentences left out because they hold words of needles."""


@dataclass(frozen=True)
class Stream:
    """Tokens of a haystack, and which of them begin a sentence or a word."""

    ids: NDArray[np.int32]
    begins_sentence: NDArray[np.bool_]
    begins_word: NDArray[np.bool_]

    def first(self, count: int) -> "Stream":
        """The first `count` tokens."""
        return Stream(self.ids[:count], self.begins_sentence[:count], self.begins_word[:count])


def units(
    spec: Documents, files: Files, haystacks: int, tokens: int, words: frozenset[str], where: str
) -> Units:
    """Texts to draw from: paragraphs, or sentences if fewer paragraphs differ than haystacks must.

    Enough are read for `haystacks` haystacks of `tokens` tokens; `where` is the field of `spec` in
    the manifest. Sentences that hold one of `words` are left out.

    Raises:
        InvalidInput: there are too few for different haystacks.
    """
    paragraphs: list[list[str]] = []
    different = set[str]()
    left_out, missing = 0, haystacks * tokens * CHARACTERS_PER_TOKEN
    for document in documents(spec, files, where, "haystacks"):
        for paragraph in _paragraphs(document, spec.language):
            kept = [sentence for sentence in paragraph if not holds_any(sentence, words)]
            left_out += len(paragraph) - len(kept)
            missing -= sum(map(len, kept))
            if kept:
                paragraphs.append(kept)
                different.add(_joined(kept))
        if missing <= 0 and len(different) >= haystacks:
            break
    if len(different) >= haystacks:
        return Units(list(map(_joined, paragraphs)), left_out)
    sentences = [sentence for paragraph in paragraphs for sentence in paragraph]
    if (count := len(set(sentences))) < haystacks:
        without = f", without {left_out} that hold words of needles" if left_out else ""
        raise InvalidInput(
            f"{where}: holds {count} different sentences{without}, too few for {haystacks} "
            "different haystacks: give more text"
        )
    return Units(sentences, left_out)


def _joined(sentences: list[str]) -> str:
    """The sentences of a paragraph as a unit."""
    return f"\n\n{''.join(sentences).lstrip()}"


def _paragraphs(document: str, language: str) -> Iterator[list[str]]:
    """The sentences of each paragraph, each with the white space before it.

    A paragraph of code is one sentence, and keeps its lines.
    """
    for part in PARAGRAPH_END.split(document):
        if language == "Code" and part.strip():
            yield ["\n\n" + part.strip("\n")]
        elif text := " ".join(part.split()):
            starts = [match.start() for match in SENTENCE_START.finditer(text)]
            edges = sorted({0, *(start for start in starts if start < len(text)), len(text)})
            first, *others = (text[low:high] for low, high in pairwise(edges))
            yield [f" {first}" if text[0].isascii() else first, *others]


def draw(
    texts: list[str], tokenizer: Tokenizer, haystacks: int, tokens: int, seed: int, where: str
) -> list[Stream]:
    """`haystacks` streams of `tokens` tokens: `texts` in random orders, cut at the end.

    Each begins with a different text, so that all of them differ at every length.
    """
    firsts = {text: number for number, text in reversed(list(enumerate(texts)))}
    beginnings = random.Random(f"{seed}").sample(sorted(firsts.values()), haystacks)
    return [
        _haystack(texts, first, tokenizer, tokens, random.Random(f"{seed}/{number}"), where)
        for number, first in enumerate(beginnings)
    ]


def _haystack(
    texts: list[str],
    first: int,
    tokenizer: Tokenizer,
    tokens: int,
    rng: random.Random,
    where: str,
) -> Stream:
    """`tokens` tokens that begin with text number `first`.

    All are tokenized in one call, so that texts join as the tokenizer joins them; of a very long
    text, no more than may be needed.
    """
    order = _endless(len(texts), first, rng)
    chosen: list[str] = []
    held = 0
    wanted, most = (
        tokens * each for each in (FEWEST_CHARACTERS_PER_TOKEN, 2 * CHARACTERS_PER_TOKEN)
    )
    while wanted < most:
        while held < wanted:
            chosen.append(texts[next(order)])
            held += len(chosen[-1])
        text = "".join(chosen).lstrip()[:most]
        piece = tokenizer.following(text)
        if len(piece.ids) >= tokens:
            check_known(piece.ids, tokenizer, where, "give text in words of its vocabulary")
            return stream(TokenizedText(piece.ids[:tokens], piece.offsets[:tokens], text))
        wanted *= 2
    raise InvalidInput(f"{where}: its text holds hardly a token of this tokenizer")


def _endless(count: int, first: int, rng: random.Random) -> Iterator[int]:
    """`first` and all other numbers below `count` in random order, then all of them repeatedly."""
    yield first
    yield from rng.sample([number for number in range(count) if number != first], count - 1)
    while True:
        yield from rng.sample(range(count), count)


def stream(piece: TokenizedText) -> Stream:
    """The tokens of a text that begins a sentence.

    A token begins none if the white space before it belongs to the token before (`.` and two line
    breaks are one token in some vocabularies): a needle in between would touch the text after it.
    """
    text = piece.text
    starts = {len(text) - len(text.lstrip())}
    starts |= {end.end() for pattern in STARTS for end in pattern.finditer(text)}
    firsts = [_first_visible(text, start) for start, _ in piece.offsets]
    is_new = [
        i == 0 or (first > firsts[i - 1] and not _space_is_before(piece, i))
        for i, first in enumerate(firsts)
    ]
    begins_word = [new and _follows_space(text, at) for new, at in zip(is_new, firsts, strict=True)]
    begins_sentence = [new and at in starts for new, at in zip(is_new, firsts, strict=True)]
    return Stream(
        np.array(piece.ids, dtype=np.int32), np.array(begins_sentence), np.array(begins_word)
    )


def _first_visible(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _space_is_before(piece: TokenizedText, number: int) -> bool:
    """Whether token `number` follows white space, all of which the token before it holds."""
    text = piece.text
    start, end = piece.offsets[number][0], piece.offsets[number - 1][1]
    return start == end and text[start - 1].isspace() and not text[start : start + 1].isspace()


def _follows_space(text: str, at: int) -> bool:
    return at == 0 or text[at - 1].isspace()
