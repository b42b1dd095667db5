"""Biographies: every fact is at its recorded position, and no value belongs to two people."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.contract.errors import InvalidInput
from lccp_evaluator.sampling.sources.biographies import attributes, document

documents = st.builds(
    document, st.integers(1, 40), st.text(max_size=5), st.sampled_from([0.0, 0.3, 1.0])
)


@given(documents)
def test_every_fact_stands_where_it_is_said_to(one):
    for fact in one.facts:
        begin, end = fact.sentence
        assert one.text[slice(*fact.value_at)] == fact.value
        assert fact.name in one.text[begin:end]
        assert begin <= fact.value_at[0] < fact.value_at[1] <= end
        assert one.text[begin - 1] == " "
        assert one.text[end - 1] == "."


@given(documents)
def test_sentences_follow_one_another_in_the_order_of_the_text(one):
    assert all(a.sentence[1] <= b.sentence[0] for a, b in pairwise(one.facts))


@given(documents)
def test_no_value_of_an_attribute_belongs_to_two_people(one):
    counts = Counter((fact.attribute, fact.value) for fact in one.facts)
    assert max(counts.values(), default=1) == 1
    people = Counter((fact.attribute, fact.name) for fact in one.facts)
    assert max(people.values(), default=1) == 1


def test_the_same_seed_gives_the_same_text_and_another_gives_another():
    assert document(20, "a") == document(20, "a")
    assert document(20, "a").text != document(20, "b").text


def test_density_is_the_share_of_people_who_state_an_attribute():
    stated = Counter(fact.attribute for fact in document(400, "density", density=0.5).facts)
    assert all(150 < stated[name] < 250 for name in ("birthdate", "birthplace", "workplace"))
    assert document(30, "none", density=0.0).facts == ()


def test_an_attribute_of_few_values_is_stated_as_often_as_it_has_values():
    stated = Counter(fact.attribute for fact in document(1_000, "many").facts)
    assert stated["birthdate"] == stated["birthplace"] == 1_000
    assert stated["hobby"] == 60
    assert stated["major"] == 50


def test_every_attribute_has_fifteen_ways_of_being_said():
    said = {name: set() for name in attributes()}
    for fact in (one := document(1_500, "ways", density=1.0)).facts:
        sentence = one.text[slice(*fact.sentence)]
        said[fact.attribute].add(sentence.replace(fact.name, "N").replace(fact.value, "V"))
    assert min(map(len, said.values())) >= 15


def test_questions_and_stems_name_the_person():
    for fact in document(3, "asked").facts:
        assert fact.name in fact.question
        assert fact.question.endswith("?")
        assert fact.stem.startswith(fact.name)


def test_what_cannot_be_made_is_refused():
    with pytest.raises(InvalidInput, match="too few for 1,000,000 people"):
        document(1_000_000, "crowd")
    with pytest.raises(InvalidInput, match=r"between 0 and 1, not 1\.5"):
        document(3, "dense", density=1.5)
