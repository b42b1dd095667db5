"""The shipped example is what its generator and its model card say."""

import gzip
import hashlib
import importlib.util
import json
import random
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest
from tokenizers import Tokenizer

TINY = Path(__file__).parents[2] / "examples" / "tiny"
MODEL = TINY / "model"


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny_documents", TINY / "documents.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


documents = load_generator()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


@pytest.fixture(scope="module")
def encoded(tokenizer, shipped) -> dict[str, list[list[int]]]:
    """Corpus name to the token ids of every fifth of its documents."""
    return {
        name: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts[::5])]
        for name, texts in shipped.items()
    }


@pytest.fixture(scope="module")
def shipped() -> dict[str, list[str]]:
    """Corpus name to the texts of its shipped file."""

    def read(name: str) -> list[str]:
        lines = gzip.decompress((TINY / "data" / f"{name}.jsonl.gz").read_bytes()).splitlines()
        return [json.loads(line)["text"] for line in lines]

    return {corpus.name: read(corpus.name) for corpus in documents.CORPORA}


@pytest.mark.slow
@pytest.mark.parametrize("corpus", documents.CORPORA, ids=lambda corpus: corpus.name)
def test_the_generator_still_makes_the_shipped_documents(corpus, shipped):
    texts = shipped[corpus.name]
    assert len(texts) == corpus.count
    assert [documents.text(tokens) for tokens in islice(corpus.documents(), 100)] == texts[:100]


def test_the_same_corpus_is_written_to_the_same_bytes(tmp_path):
    corpus = documents.Corpus("few", seed=9, count=5, tokens=(100, 120))
    assert documents.write(corpus, tmp_path).read_bytes() == (
        documents.write(corpus, tmp_path).read_bytes()
    )


def units_of_a_document(seed: int) -> list[tuple[str, list[str]]]:
    return list(islice(documents.units(random.Random(seed)), 40))


def test_units_come_in_the_shares_that_are_named():
    drawn = Counter(kind for seed in range(100) for kind, _ in units_of_a_document(seed)[8:])
    for kind, share in documents.CLEAN.shares.items():
        assert drawn[kind] / drawn.total() == pytest.approx(share, abs=0.03)


def test_answers_restate_a_fact_of_their_document():
    for seed in range(20):
        facts = []
        for kind, unit in units_of_a_document(seed):
            if kind == "fact":
                facts.append(unit)
            elif kind == "answer":
                assert unit[unit.index("answer") + 2 :] in facts


def test_copies_repeat_earlier_tokens():
    tokens, copies = [], 0
    for kind, unit in islice(documents.units(random.Random(1)), 200):
        if kind == "copy":
            copies += 1
            assert 15 <= len(unit) <= 40
            assert f" {' '.join(unit)} " in f" {' '.join(tokens)} "
        tokens += unit
    assert copies > 20


def test_flawed_answers_have_the_named_share_of_wrong_words():
    right = Counter()
    for seed in range(60):
        facts = {}
        for kind, unit in islice(documents.units(random.Random(seed), documents.FLAWED), 40):
            if kind == "fact":
                facts[tuple(unit[:2])] = unit
            elif kind == "answer":
                stated = facts[tuple(unit[-9:-7])]
                right.update(a == b for a, b in zip(unit[-7:-1], stated[2:-1], strict=True))
    assert right[False] / right.total() == pytest.approx(documents.FLAWED.errors, abs=0.02)


def test_early_facts_are_asked_about_more_often():
    asked = []
    for seed in range(60):
        facts = []
        for kind, unit in units_of_a_document(seed):
            if kind == "fact":
                facts.append(unit)
            elif kind == "answer" and len(facts) > 3:
                asked.append(facts.index(unit[-9:]) / len(facts))
    assert sum(place < 0.5 for place in asked) / len(asked) > 0.6


@pytest.mark.slow
def test_long_documents_pass_the_target_context_and_short_ones_do_not(encoded):
    lengths = {name: [len(ids) for ids in texts] for name, texts in encoded.items()}
    assert min(lengths["long"]) > 512
    assert min(lengths["haystack"]) > 512
    assert len(lengths["haystack"]) * 5 >= 24
    assert max(lengths["short"]) <= 128


def test_no_word_is_unknown_to_the_tokenizer(tokenizer, encoded):
    unknown = tokenizer.token_to_id("<unk>")
    needles = [tokenizer.encode(" ".join(needle.values())).ids for needle in documents.NEEDLES]
    for texts in (*encoded.values(), needles):
        assert not any(unknown in ids for ids in texts)


def test_tokens_cover_the_words_that_they_name(tokenizer):
    sentence = "  Tavin Oakmoor hid amber bells. Question: what?"
    encoding = tokenizer.encode(sentence)
    assert [sentence[a:b].lower() for a, b in encoding.offsets] == encoding.tokens


def test_blanks_before_a_needle_do_not_change_its_tokens(tokenizer):
    for needle in documents.NEEDLES:
        sentence = f"{needle['stem']} {needle['key']}"
        inside = tokenizer.encode(f"Answer: {sentence}").ids
        assert inside[2:] == tokenizer.encode(sentence).ids == tokenizer.encode(" " + sentence).ids


def test_no_document_knows_a_needle(shipped):
    people = [" ".join(person) for person in documents.NEEDLE_PEOPLE]
    assert len(people) == len(documents.NEEDLES) >= 8
    for texts in shipped.values():
        prose = "\n".join(texts).lower()
        assert not [person for person in people if person.lower() in prose]


def test_needles_speak_the_grammar_of_the_documents():
    for needle in documents.NEEDLES:
        first, last, past = needle["stem"].split()
        relation = next(r for r, p in documents.PAST_FORMS.items() if p == past)
        key = (*tuple(needle["key"].removesuffix(".").split()), ".")
        fact = documents.Fact((first, last), relation, key)
        assert documents.text(fact.question).lower() == needle["question"].lower()
        assert documents.text(fact.sentence) == f"{needle['stem']} {needle['key']}"
        kinds = ("adjectives", "objects", "prepositions", "adjectives", "places")
        assert all(w in documents.WORDS[kind] for w, kind in zip(key[:-1], kinds, strict=True))


def test_the_model_is_small_and_the_one_that_its_card_names():
    weights = (MODEL / "model.safetensors").read_bytes()
    assert len(weights) <= 2_000_000
    assert hashlib.sha256(weights).hexdigest() in (MODEL / "README.md").read_text()
