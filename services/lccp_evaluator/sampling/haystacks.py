"""The text around the needle: documents, cut into units, drawn in a seeded order for a haystack."""

import gzip
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import HaystackSpec
from lccp_evaluator.sampling.texts import paragraphs
from lccp_evaluator.sampling.tokenization import Piece, Tokenizer

FIELD = "evaluation.probes.niah.haystack"
SUFFIXES = {
    "JSONL": (".jsonl", ".jsonl.gz", ".json", ".json.gz"),
    "Text": (".txt", ".txt.gz", ".md"),
}
CHARACTERS_PER_TOKEN = 12
"""More than tokens have on average: reading stops when there is text enough."""
FEWEST_CHARACTERS_PER_TOKEN = 2
MOST_UNKNOWN = 0.1
"""Largest share of unknown tokens in a haystack."""

PARAGRAPH_END = re.compile(r"\n\s*\n")
LINE_END = re.compile(r"\n\s*")
SENTENCE_START = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+|(?<=[。！？])")
STARTS = (SENTENCE_START, LINE_END)


@dataclass(frozen=True)
class Stream:
    """Tokens of a haystack, and which of them begin a sentence or a word."""

    ids: NDArray[np.int32]
    begins_sentence: NDArray[np.bool_]
    begins_word: NDArray[np.bool_]

    def first(self, count: int) -> "Stream":
        """The first `count` tokens."""
        return Stream(self.ids[:count], self.begins_sentence[:count], self.begins_word[:count])


def documents(spec: HaystackSpec, base: Path) -> Iterator[str]:
    """The documents of `spec`, or built-in ones without end; paths start from `base`."""
    if spec.path is None:
        yield from paragraphs(spec.language, "haystacks")
        return
    for path in _files(spec, base / spec.path):
        yield from _documents_in(path, spec)


def units(spec: HaystackSpec, base: Path, haystacks: int, tokens: int) -> list[str]:
    """Texts to draw from: paragraphs, or sentences where paragraphs are fewer than haystacks.

    Each begins with the white space that sets it apart. Enough are read for `haystacks` haystacks
    of `tokens` tokens.

    Raises:
        InvalidInput: there are too few to make the haystacks differ.
    """
    laid_out = str.strip if spec.language == "Code" else _on_one_line
    paragraphs: list[str] = []
    missing = haystacks * tokens * CHARACTERS_PER_TOKEN
    for document in documents(spec, base):
        new = [laid_out(part) for part in PARAGRAPH_END.split(document) if part.strip()]
        paragraphs += new
        missing -= sum(map(len, new))
        if missing <= 0 and len(paragraphs) >= haystacks:
            break
    if len(paragraphs) >= haystacks:
        return [f"\n\n{paragraph}" for paragraph in paragraphs]
    sentences = [
        text for paragraph in paragraphs for text in SENTENCE_START.split(paragraph) if text
    ]
    if len(sentences) < haystacks:
        raise InvalidInput(
            f"{FIELD}: holds {len(sentences)} sentences, too few for {haystacks} different "
            "haystacks: give more text"
        )
    return [f" {sentence}" for sentence in sentences]


def _on_one_line(paragraph: str) -> str:
    return " ".join(paragraph.split())


def draw(
    texts: list[str], tokenizer: Tokenizer, haystacks: int, tokens: int, seed: int
) -> list[Stream]:
    """`haystacks` streams of `tokens` tokens: `texts` in random orders, cut at the end.

    Each begins with another text, so that all of them differ at every length.
    """
    beginnings = random.Random(f"{seed}").sample(range(len(texts)), haystacks)
    return [
        _haystack(texts, first, tokenizer, tokens, random.Random(f"{seed}/{number}"))
        for number, first in enumerate(beginnings)
    ]


def _haystack(
    texts: list[str], first: int, tokenizer: Tokenizer, tokens: int, rng: random.Random
) -> Stream:
    """`tokens` tokens that begin with the text numbered `first`.

    They are tokenized in one go, so that texts join as the tokenizer joins them.
    """
    order = _endless(len(texts), first, rng)
    chosen: list[str] = []
    wanted = tokens * FEWEST_CHARACTERS_PER_TOKEN
    while wanted < 2 * tokens * CHARACTERS_PER_TOKEN:
        while sum(map(len, chosen)) < wanted:
            chosen.append(texts[next(order)])
        text = "".join(chosen).lstrip()
        piece = tokenizer.following(text)
        if len(piece.ids) >= tokens:
            _check_known(piece.ids, tokenizer)
            return stream(text, piece).first(tokens)
        wanted *= 2
    raise InvalidInput(f"{FIELD}: its text holds hardly a token of this tokenizer")


def _check_known(ids: tuple[int, ...], tokenizer: Tokenizer) -> None:
    unknown = ids.count(tokenizer.unknown_id) if tokenizer.unknown_id is not None else 0
    if unknown > MOST_UNKNOWN * len(ids):
        raise InvalidInput(
            f"{FIELD}: {100 * unknown / len(ids):.0f} % of its tokens are unknown to the model's "
            "tokenizer: give text in words of its vocabulary"
        )


def _endless(count: int, first: int, rng: random.Random) -> Iterator[int]:
    """`first` and all other numbers below `count` in a random order, then all of them, again."""
    yield first
    yield from rng.sample([number for number in range(count) if number != first], count - 1)
    while True:
        yield from rng.sample(range(count), count)


def stream(text: str, piece: Piece) -> Stream:
    """The tokens of `text`, which begins a sentence."""
    starts = {len(text) - len(text.lstrip())}
    starts |= {end.end() for pattern in STARTS for end in pattern.finditer(text)}
    firsts = [_first_visible(text, start) for start, _ in piece.offsets]
    is_new = [i == 0 or first > firsts[i - 1] for i, first in enumerate(firsts)]
    begins_word = [new and _follows_space(text, at) for new, at in zip(is_new, firsts, strict=True)]
    begins_sentence = [new and at in starts for new, at in zip(is_new, firsts, strict=True)]
    return Stream(
        np.array(piece.ids, dtype=np.int32), np.array(begins_sentence), np.array(begins_word)
    )


def _first_visible(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _follows_space(text: str, at: int) -> bool:
    return at == 0 or text[at - 1].isspace()


def _files(spec: HaystackSpec, path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    named = (found for found in path.rglob("*") if found.name.endswith(SUFFIXES[spec.format]))
    found = sorted(file for file in named if file.is_file())
    if not found:
        names = " or ".join(SUFFIXES[spec.format][:2])
        what = f"holds no {names}" if path.is_dir() else "is missing"
        raise InvalidInput(f"{FIELD}.path: {path} {what}")
    return found


def _documents_in(path: Path, spec: HaystackSpec) -> Iterator[str]:
    try:
        # utf-8-sig: a byte order mark at the beginning is no text.
        with (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8-sig"
        ) as file:
            if spec.format == "Text":
                yield file.read()
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _text_in(line, f"{FIELD}.path: {path}, line {number}", spec.text_field)
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile):
        raise InvalidInput(f"{FIELD}.path: {path}: is not UTF-8 text, or damaged") from None
    except OSError as error:
        raise InvalidInput(f"{FIELD}.path: {path}: cannot be read ({error.strerror})") from None


def _text_in(line: str, where: str, field: str) -> str:
    try:
        text = json.loads(line)[field]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise InvalidInput(f"{where}: is not a JSON object with a text in {field!r}")
    return text
