"""Biographies of people who never lived: facts known only from the context, in plain sentences.

After LongBioBench (arXiv 2506.02921), with our own banks and paraphrases. In one document, every
value of an attribute belongs to one person, so a guess is no better than chance. The characters of
every fact are known from construction; nothing is searched for.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from lccp.contract.errors import InvalidInput

FIRST_BIRTHDAY, LAST_BIRTHDAY = date(1950, 1, 1), date(2001, 12, 31)
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)

Characters = tuple[int, int]
"""Beginning and end of a part of a text."""


@dataclass(frozen=True)
class Fact:
    """One attribute of one person, the positions of its sentence and value, and its question."""

    attribute: str
    name: str
    value: str
    sentence: Characters
    """Position in the document's text."""
    value_at: Characters
    """Position in the document's text, inside the sentence."""

    @property
    def question(self) -> str:
        return str(_bank()["attributes"][self.attribute]["question"]).format(name=self.name)

    @property
    def stem(self) -> str:
        """The beginning of the answer, which the value follows."""
        return str(_bank()["attributes"][self.attribute]["stem"]).format(name=self.name)


@dataclass(frozen=True)
class Document:
    """Biographies one after another, and all their facts in the order of the text."""

    text: str
    facts: tuple[Fact, ...]


def attributes() -> tuple[str, ...]:
    """Names of the attributes, in the order of a biography."""
    return tuple(_bank()["attributes"])


def document(people: int, seed: str, density: float = 1.0) -> Document:
    """`people` biographies; each states each attribute with probability `density`.

    An attribute with few values (hobby, major) is stated at most as often as it has values. The
    same arguments give the same text.

    Raises:
        InvalidInput: there are fewer names than people, or `density` is not between 0 and 1.
    """
    if not 0 <= density <= 1:
        raise InvalidInput(f"density of biographies must be between 0 and 1, not {density}")
    rng = random.Random(f"biographies/{seed}")
    names = _names(people, rng)
    values = {attribute: _drawn(attribute, people, density, rng) for attribute in attributes()}
    parts: list[str] = []
    facts: list[Fact] = []
    length = 0
    for number, name in enumerate(names):
        own = {attribute: given[number] for attribute, given in values.items() if number in given}
        for text, fact in _biography(name, own, length, rng):
            parts.append(text)
            length += len(text)
            if fact is not None:
                facts.append(fact)
    return Document("".join(parts), tuple(facts))


def _biography(
    name: str, values: Mapping[str, str], start: int, rng: random.Random
) -> Iterator[tuple[str, Fact | None]]:
    """The sentences of a biography, each with the white space before it and the fact it states."""
    header = rng.choice(_bank()["headers"]).format(name=name)
    lead = "\n\n" if start else ""
    yield f"{lead}{header}", None
    at = start + len(lead) + len(header)
    for attribute, value in values.items():
        template = rng.choice(_bank()["attributes"][attribute]["sentences"])
        before, after = template.split("{value}")
        head, tail = before.format(name=name), after.format(name=name)
        begin = at + 1
        value_at = (begin + len(head), begin + len(head) + len(value))
        sentence = f"{head}{value}{tail}"
        fact = Fact(attribute, name, value, (begin, begin + len(sentence)), value_at)
        yield f" {sentence}", fact
        at = begin + len(sentence)


def _names(people: int, rng: random.Random) -> list[str]:
    parts: Mapping[str, Sequence[str]] = _bank()["names"]
    sizes = [len(parts[part]) for part in ("first", "middle", "last")]
    most = sizes[0] * sizes[1] * sizes[2]
    if people > most:
        raise InvalidInput(f"biographies: there are {most:,} names, too few for {people:,} people")
    return [
        f"{parts['first'][i // (sizes[1] * sizes[2])]} "
        f"{parts['middle'][i // sizes[2] % sizes[1]]} {parts['last'][i % sizes[2]]}"
        for i in rng.sample(range(most), people)
    ]


def _drawn(attribute: str, people: int, density: float, rng: random.Random) -> dict[int, str]:
    """Values of the attribute by the person's number, no value twice."""
    stating = [i for i in range(people) if rng.random() < density]
    found = _values(attribute)
    if len(stating) > len(found):
        stating = sorted(rng.sample(stating, len(found)))
    return dict(zip(stating, rng.sample(found, len(stating)), strict=True))


@cache
def _values(attribute: str) -> Sequence[str]:
    described = _bank()["attributes"][attribute]
    if "values" in described:
        return [" ".join(str(value).split()) for value in described["values"]]
    if attribute == "birthdate":
        days = (LAST_BIRTHDAY - FIRST_BIRTHDAY).days + 1
        return [_written(FIRST_BIRTHDAY + timedelta(days=day)) for day in range(days)]
    places = [f"{head}{tail}" for head in _bank()["places"]["heads"] for tail in _tails()]
    if "form" not in described:
        return places
    form, kinds = described["form"], described["kinds"]
    return [form.format(place=place, kind=kinds[i % len(kinds)]) for i, place in enumerate(places)]


def _tails() -> Sequence[str]:
    tails: Sequence[str] = _bank()["places"]["tails"]
    return tails


def _written(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


@cache
def _bank() -> dict[str, Any]:
    text = files(__package__).joinpath("biographies.yaml").read_text("utf-8")
    bank: dict[str, Any] = yaml.safe_load(text)
    return bank
