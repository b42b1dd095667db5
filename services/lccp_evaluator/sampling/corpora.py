"""Whole documents of one length, and their beginnings, of every corpus of `corpus_ppl`.

A sample is the tokenizer's leading tokens, then a document from its first token; every token but
the first is judged. Beginnings of a document are separate samples, which the engine computes along
with the whole if the model allows it.
"""

import hashlib
from collections.abc import Iterator
from typing import Protocol

from lccp.contract.errors import InvalidInput
from lccp.probes.corpus_ppl import CorpusPplSettings
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.samples import Drawn, Labels, Sample, Slice, part_of
from lccp_evaluator.sampling.sources.documents import documents
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer, check_known

FIELD = "evaluation.probes.corpusPpl.corpora"
VERSION = 1
WHOLE, GUARD, SHORT = "whole", "guard", "short"
"""Roles: a document at its full length, and its beginnings of two shorter lengths."""
CHARACTERS_PER_TOKEN = 12
"""More than tokens have on average; limits how much of a long document is first tokenized."""


def draw(asked: CorpusPplSettings, tokenizer: Tokenizer, files: Files) -> Drawn:
    """The samples of `asked`, its lengths resolved, from `files`.

    Raises:
        InvalidInput: a corpus has too few documents that are long enough.
    """
    drawn = Drawn()
    leading = drawn.part(tokenizer.leading) if tokenizer.leading else None
    hashes: list[str] = []
    for number, corpus in enumerate(asked.corpora):
        for text, ids in long_enough(corpus, asked, tokenizer, files, f"{FIELD}[{number}]"):
            labels: Labels = {"corpus": number, "document": len(hashes)}
            document = drawn.part(ids)
            for role, length in _lengths(asked).items():
                drawn.samples.append(_sample(role, leading, document, length, labels))
            hashes.append(hashlib.sha256(text.encode()).hexdigest())
    drawn.names = {"corpus": tuple(one.name for one in asked.corpora), "document": tuple(hashes)}
    made_up = [corpus.name for corpus in asked.corpora if corpus.path is None]
    if made_up:
        drawn.notes.append(
            f"corpusPpl: {', '.join(made_up)} is text that LCCP makes up: its perplexity tells "
            "changes of the model, not how well it knows a language"
        )
    return drawn


def _lengths(asked: CorpusPplSettings) -> dict[str, int]:
    """Tokens of a sample by role; equal ones once, under the longest role."""
    assert asked.length is not None
    wanted = {WHOLE: asked.length, GUARD: asked.guard_length, SHORT: asked.short_length}
    found: dict[str, int] = {}
    for role, length in wanted.items():
        if length is not None and length not in found.values():
            found[role] = length
    return found


class Wanted(Protocol):
    """Settings that request documents of a length in tokens, including leading ones."""

    @property
    def length(self) -> int | None: ...
    @property
    def documents(self) -> int: ...


def long_enough(
    corpus: Documents, asked: Wanted, tokenizer: Tokenizer, files: Files, where: str
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The first documents that are long enough, with their first tokens.

    Raises:
        InvalidInput: there are too few.
    """
    assert asked.length is not None
    tokens = asked.length - len(tokenizer.leading)
    read = found = 0
    for text in _texts(corpus, files, where, tokens, asked.documents):
        read += 1
        ids = _first(text, tokens, tokenizer)
        if len(ids) == tokens:
            check_known(ids, tokenizer, where, "give text in words of its vocabulary")
            found += 1
            yield text, ids
        if found == asked.documents:
            return
    raise InvalidInput(
        f"{where}.path: {found} of its {read} documents have {asked.length:,} tokens, but "
        f"{asked.documents} are requested: give more or longer documents, or request fewer"
    )


def _texts(corpus: Documents, files: Files, where: str, tokens: int, count: int) -> Iterator[str]:
    """Documents of `corpus`; made-up paragraphs are joined into long enough documents."""
    if corpus.path is not None:
        yield from documents(corpus, files, where, "")
        return
    for number in range(count):
        parts, missing = [], CHARACTERS_PER_TOKEN * tokens
        for paragraph in documents(corpus, files, where, f"corpus/{number}"):
            parts.append(paragraph)
            missing -= len(paragraph)
            if missing <= 0:
                break
        yield "\n\n".join(parts)


def _first(text: str, tokens: int, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The first `tokens` token ids of `text`, or all if there are fewer."""
    if len(text.encode()) < tokens:  # a token has at least one byte
        return ()
    start = text[: CHARACTERS_PER_TOKEN * tokens]
    ids = tokenizer.opening(start).ids[:tokens]
    if len(ids) < tokens and len(start) < len(text):
        ids = tokenizer.opening(text).ids[:tokens]
    return ids


def _sample(
    role: str, leading: Slice | None, document: Slice, length: int, labels: Labels
) -> Sample:
    before = (leading,) if leading else ()
    taken = length - (leading[2] if leading else 0)
    slices = (*before, part_of(document, 0, taken))
    return Sample(role=role, slices=slices, answer=(1, length), labels=labels)
