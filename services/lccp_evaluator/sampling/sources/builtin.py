"""The built-in haystacks: endless text in English, Chinese or code, made from a seed.

It states nothing that anybody could know, repeats no paragraph, and needs no download. It measures
how well a model finds a needle in plain text of that language; the user's own texts are given by
path.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

Language = Literal["English", "Chinese", "Code"]

SLOT = re.compile(r"{([A-Za-z]+)(\d?)}")
SENTENCES = (4, 8)
"""Fewest and most sentences of a paragraph."""


def paragraphs(language: Language, seed: str) -> Iterator[str]:
    """Endless paragraphs; the same language and seed give the same ones."""
    rng = random.Random(f"texts/{language}/{seed}")
    while True:
        yield _function(rng) if language == "Code" else _prose(language.lower(), rng)


def _prose(language: str, rng: random.Random) -> str:
    bank = _bank()[language]
    count = rng.randint(*SENTENCES)
    patterns = rng.sample(bank["patterns"], count)
    sentences = [_filled(pattern, bank, rng) for pattern in patterns]
    return ("" if language == "chinese" else " ").join(sentences)


def _filled(pattern: str, bank: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """The pattern with a word in every slot, no word twice."""
    used: set[str] = set()

    def word(slot: re.Match[str]) -> str:
        name = slot[1]
        words = bank[name.lower()]
        if not used.isdisjoint(words):
            words = [word for word in words if word not in used]
        chosen = rng.choice(words)
        used.add(chosen)
        return f"{chosen[0].upper()}{chosen[1:]}" if name[0].isupper() else chosen

    return SLOT.sub(word, pattern)


def _function(rng: random.Random) -> str:
    """A function in Python that reads well and does nothing in particular."""
    bank = _bank()["code"]
    verb, noun = rng.choice(bank["verb"]), rng.choice(bank["noun"])
    first, second, third = rng.sample(bank["field"], 3)
    kind, other = rng.choice(bank["type"]), rng.choice(bank["type"])
    number, bound = rng.randint(2, 99), rng.randint(100, 9_999)
    item = noun.removesuffix("s")
    body = rng.choice(
        (
            f"    found = [{item} for {item} in {noun} if {item}.{first} > {number}]\n"
            f"    return sorted(found, key=lambda {item}: {item}.{second})[:{third}]",
            f"    {first} = 0\n    for {item} in {noun}:\n"
            f"        if {item}.{second} >= {bound}:\n            continue\n"
            f"        {first} += {item}.{third} * {number}\n    return {first}",
            f"    by_{first} = {{}}\n    for position, {item} in enumerate({noun}):\n"
            f"        by_{first}.setdefault({item}.{first}, []).append(position % {number})\n"
            f"    return {{key: max(value, default={bound}) for key, value in by_{first}.items()}}",
            f"    while {noun} and {noun}[-1].{first} < {third}:\n"
            f"        {item} = {noun}.pop()\n"
            f"        {item}.{second} = min({bound}, {item}.{second} + {number})\n"
            f"    return {noun}",
        )
    )
    return (
        f"def {verb}_{noun}_by_{first}({noun}, {third}: {kind} = {number}) -> {other}:\n"
        f'    """{verb.capitalize()} {noun} whose {second} is beyond {bound}."""\n{body}'
    )


@cache
def _bank() -> dict[str, Any]:
    text = files(__package__).joinpath("builtin.yaml").read_text("utf-8")
    bank: dict[str, Any] = yaml.safe_load(text)
    return bank
