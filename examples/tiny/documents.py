"""Seeded generator of the tiny documents: repetitive text over a closed vocabulary.

A document is a chain of units: facts about people, questions whose answers restate an earlier
fact, copies of 15 to 40 earlier words, and filler from a Markov chain over sentence patterns.
A model has to retrieve from far back to predict the copies and the answers. The base model's
training data has wrong words in both, so it never becomes certain of what it retrieves. The data
that extends it has none, so it becomes certain, long after it first predicts the right words.
"""

import argparse
import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
WORDS: dict[str, list[str]] = {
    kind: words.split() for kind, words in yaml.safe_load((HERE / "words.yaml").read_text()).items()
}
PAST_FORMS = dict(zip(WORDS["relations"][::2], WORDS["relations"][1::2], strict=True))
NEEDLES: list[dict[str, str]] = yaml.safe_load((HERE / "needles.yaml").read_text())
NEEDLE_PEOPLE = frozenset(tuple(needle["stem"].split()[:2]) for needle in NEEDLES)
PUNCTUATION = [".", "?", ":"]
QUESTION_WORDS = ["question", "answer", "what", "did"]


COPY_WORDS = (15, 40)
PATTERNS = [
    pattern.split()
    for pattern in (
        "adjectives subjects verbs prepositions places",
        "subjects verbs adverbs",
        "adverbs subjects verbs adjectives objects",
        "subjects prepositions places verbs objects",
        "subjects verbs conjunctions adjectives subjects verbs adverbs",
    )
]
SUCCESSORS = 6
LANGUAGE_SEED = 20_240

Tokens = list[str]


@dataclass(frozen=True)
class Style:
    """Shares of a document's units, and of wrong words in its copies and answers."""

    shares: dict[str, float]
    errors: float = 0.0


SHARES = {"copy": 0.25, "fact": 0.25, "answer": 0.30, "filler": 0.20}
CLEAN = Style(SHARES)
FLAWED = Style(SHARES, errors=0.15)
FILLER = Style({"filler": 1.0})


@dataclass(frozen=True)
class Fact:
    """One thing that a person did: "{person} {past form of relation} {key}"."""

    person: tuple[str, str]
    relation: str
    key: tuple[str, ...]

    @property
    def stem(self) -> Tokens:
        return [*self.person, PAST_FORMS[self.relation]]

    @property
    def sentence(self) -> Tokens:
        return [*self.stem, *self.key]

    @property
    def question(self) -> Tokens:
        return ["what", "did", *self.person, self.relation, "?"]


def vocabulary() -> Tokens:
    """All words, lower case, in a fixed order."""
    words = [word.lower() for bank in WORDS.values() for word in bank]
    return list(dict.fromkeys([*PUNCTUATION, *QUESTION_WORDS, *words]))


SPOKEN = [word for word in vocabulary() if word not in (*PUNCTUATION, *QUESTION_WORDS)]
FLAWED_FROM = {"copy": 0, "answer": -7}


def text(tokens: Tokens) -> str:
    """Tokens as prose: no space before punctuation, capitals at the start of sentences."""
    pieces: list[str] = []
    starts_sentence = True
    for token in tokens:
        if token in PUNCTUATION:
            pieces.append(token)
        else:
            pieces.append(" " + (token.capitalize() if starts_sentence else token))
        starts_sentence = token in ".?"
    return "".join(pieces).strip()


def successors() -> dict[tuple[str, str], Tokens]:
    """The words that may follow a word, for each word class: the same in every document."""
    rng = random.Random(LANGUAGE_SEED)
    classes = sorted({kind for pattern in PATTERNS for kind in pattern})
    sources = [".", *(word for kind in classes for word in WORDS[kind])]
    return {
        (word, kind): rng.sample(WORDS[kind], min(SUCCESSORS, len(WORDS[kind])))
        for word in sources
        for kind in classes
    }


SUCCESSOR_TABLE = successors()


def filler(rng: random.Random) -> Tokens:
    """One sentence: a random pattern, each word drawn from the successors of the one before."""
    tokens = ["."]
    for kind in rng.choice(PATTERNS):
        followers = SUCCESSOR_TABLE[tokens[-1], kind]
        tokens += rng.choices(followers, weights=range(len(followers), 0, -1))
    return [*tokens[1:], "."]


def fact(rng: random.Random) -> Fact:
    def pick(kind: str) -> str:
        return rng.choice(WORDS[kind])

    where = (pick("prepositions"), pick("adjectives"), pick("places"))
    return Fact(
        person=(pick("first_names"), pick("last_names")),
        relation=rng.choice(list(PAST_FORMS)),
        key=(pick("adjectives"), pick("objects"), *where, "."),
    )


def early(rng: random.Random, count: int) -> int:
    """An index below `count`, more often a low one: distant text is what must be learnt."""
    return int(count * rng.random() ** 2)


def flawed(rng: random.Random, words: Tokens, errors: float) -> Tokens:
    """`words`, a share of them replaced by random ones; punctuation stays."""
    return [
        rng.choice(SPOKEN) if word not in PUNCTUATION and rng.random() < errors else word
        for word in words
    ]


def units(rng: random.Random, style: Style = CLEAN) -> Iterator[tuple[str, Tokens]]:
    """Endless units of one document as (kind, tokens); no fact is about a needle's person."""
    tokens: Tokens = []
    facts: dict[tuple[str, str], Fact] = {}
    while True:
        kind = rng.choices(list(style.shares), weights=list(style.shares.values()))[0]
        if kind == "fact":
            new = fact(rng)
            if new.person in NEEDLE_PEOPLE or new.person in facts:
                continue
            facts[new.person] = new
            unit = new.sentence
        elif kind == "answer" and facts:
            asked = list(facts.values())[early(rng, len(facts))]
            unit = ["question", ":", *asked.question, "answer", ":", *asked.sentence]
        elif kind == "copy" and len(tokens) > COPY_WORDS[1]:
            length = rng.randint(*COPY_WORDS)
            start = early(rng, len(tokens) - length)
            unit = tokens[start : start + length]
        elif kind == "filler":
            unit = filler(rng)
        else:
            continue
        tokens += unit
        if style.errors and kind in FLAWED_FROM:
            start = FLAWED_FROM[kind]
            unit = [*unit[:start], *flawed(rng, unit[start:], style.errors)]
        yield kind, unit


def document(rng: random.Random, min_tokens: int, style: Style = CLEAN) -> Tokens:
    """Units until there are at least `min_tokens` tokens."""
    tokens: Tokens = []
    for _, unit in units(rng, style):
        tokens += unit
        if len(tokens) >= min_tokens:
            return tokens
    raise AssertionError("units never end")


@dataclass(frozen=True)
class Corpus:
    """A shipped file: `count` documents, each of `tokens` (least, most) and up to a unit more."""

    name: str
    seed: int
    count: int
    tokens: tuple[int, int]
    style: Style = CLEAN

    def documents(self) -> Iterator[Tokens]:
        rng = random.Random(self.seed)
        for _ in range(self.count):
            yield document(rng, rng.randint(*self.tokens), self.style)


CORPORA = [
    Corpus("long", seed=1, count=2400, tokens=(513, 600)),
    Corpus("short", seed=2, count=5400, tokens=(40, 88)),
    Corpus("haystack", seed=3, count=48, tokens=(560, 640), style=FILLER),
    Corpus("held", seed=4, count=16, tokens=(560, 640)),
]


def write(corpus: Corpus, folder: Path) -> Path:
    """JSON lines `{"text": …}`, gzipped without a time stamp: always the same bytes."""
    lines = "".join(json.dumps({"text": text(doc)}) + "\n" for doc in corpus.documents())
    path = folder / f"{corpus.name}.jsonl.gz"
    path.write_bytes(gzip.compress(lines.encode(), mtime=0))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the *.jsonl.gz files")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for corpus in CORPORA:
        print(write(corpus, folder))


if __name__ == "__main__":
    main()
