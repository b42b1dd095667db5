"""Questions about biographies: a fact in its document and its answer are the same tokens."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampled import frozen as frozen_samples
from tiny_checkpoints import KINDS, a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.bio import BioSettings, resolved
from lccp.probes.probe import Contexts
from lccp_evaluator.sampling.facts import AskedFact, chosen
from lccp_evaluator.sampling.sources.biographies import attributes
from lccp_evaluator.sampling.tokenization import Tokenizer

pytestmark = pytest.mark.slow

SETTINGS = {"lengths": [1_000, 2_000], "depthsPercent": [0, 50, 100], "documents": 3}


def settings(**changed):
    contexts = Contexts(1_000, 2_000, 2_000)
    return resolved(BioSettings.parse(SETTINGS | changed, "settings"), contexts)


@pytest.fixture(params=[kind for kind in KINDS if kind != "words"])
def tokenizer(request, tmp_path):
    a_tokenizer(request.param).save_pretrained(tmp_path)
    return Tokenizer(tmp_path)


def spelled(tokenizer, ids):
    return tokenizer.library.decode(ids).strip()


@pytest.mark.parametrize("answer", ["Value", "Sentence"])
def test_the_answer_is_what_stands_in_the_needle_and_the_question_asks_for_it(tokenizer, answer):
    frozen = frozen_samples("bio", settings(answer=answer), tokenizer)

    assert len(frozen.samples) == 3 * 2 * 3 * 2
    for sample in frozen.samples:
        ids = frozen.passage(sample).ids
        needle, told = ids[slice(*sample.needle)], ids[slice(*sample.answer)]
        np.testing.assert_array_equal(needle, told)
        document, question = (
            spelled(tokenizer, frozen.parts[one[0]][one[1] : one[2]]) for one in sample.slices[1:3]
        )
        assert spelled(tokenizer, told) in document
        assert "Question: " in question
        assert question.rstrip().endswith("Answer:") == (answer == "Sentence")
        value = spelled(tokenizer, told[sample.key_start :])
        assert (sample.key_start == 0) == (answer == "Value" or value == spelled(tokenizer, told))


def test_a_sample_has_at_most_its_nominal_length_and_shares_its_beginning(tokenizer):
    frozen = frozen_samples("bio", settings(), tokenizer)
    beginnings = {}

    for sample in frozen.samples:
        assert sample.length <= sample.labels["nominal_length"]
        assert sample.needle[1] <= sample.slices[0][2] + sample.slices[1][2]
        told_by = sample.labels["document"], sample.labels["nominal_length"]
        beginnings.setdefault(told_by, set()).add(sample.slices[:2])

    assert all(len(same) == 1 for same in beginnings.values())
    assert len(frozen.cohorts()) == 3


def test_facts_are_asked_for_once_near_their_depth_and_of_all_attributes(tokenizer):
    frozen = frozen_samples("bio", settings(depthsPercent=[10, 50, 90], questions=4), tokenizer)

    asked = Counter((*s.slices[:2], s.needle) for s in frozen.samples)
    assert max(asked.values()) == 1
    counts = Counter(s.labels["attribute"] for s in frozen.samples)
    assert set(counts) == set(range(len(attributes())))
    achieved = [
        s.labels["achieved_depth_percent"] - s.labels["depth_percent"] for s in frozen.samples
    ]
    assert np.abs(achieved).mean() < 15


@given(
    starts=st.lists(st.integers(0, 999), min_size=1, max_size=60, unique=True),
    depths=st.lists(st.integers(0, 100), min_size=1, max_size=6, unique=True).map(sorted),
    questions=st.integers(1, 4),
    turn=st.integers(0, 9),
)
def test_of_the_attribute_whose_turn_it_is_the_nearest_fact_is_chosen(
    starts, depths, questions, turn
):
    facts = [AskedFact(n % 6, (at, at + 1), at + 2, (), (), 0) for n, at in enumerate(starts)]

    found = list(chosen(facts, depths, questions, 1_000, turn))

    assert len(found) == min(len(facts), questions * len(depths))
    assert [depth for depth, _ in found] == sorted(depth for depth, _ in found)
    left = list(facts)
    for number, (depth, fact) in enumerate(found):
        of_turn = [one for one in left if one.attribute == (turn + number) % 6] or left
        assert fact in of_turn
        assert all(
            abs(fact.needle[0] - 10 * depth) <= abs(one.needle[0] - 10 * depth) for one in of_turn
        )
        left.remove(fact)


def test_the_same_seed_gives_the_same_samples(tokenizer):
    first, again, other = (
        frozen_samples("bio", settings(seed=seed), tokenizer).digest for seed in (0, 0, 1)
    )
    assert first == again != other


def test_fewer_people_state_an_attribute_with_less_density(tokenizer):
    dense, sparse = (
        frozen_samples("bio", settings(density=density), tokenizer) for density in ("1", "0.3")
    )

    def distances(frozen):
        starts = sorted({s.needle[0] for s in frozen.samples if s.labels["document"] == 0})
        return np.mean([b - a for a, b in pairwise(starts)])

    assert distances(sparse) > 0
    assert dense.digest != sparse.digest


def test_a_length_without_any_fact_is_refused(tokenizer):
    with pytest.raises(
        InvalidInput, match=r"bio.lengths: 100 tokens contain no fact .*bio: {enabled"
    ):
        frozen_samples("bio", settings(lengths=[100, 2_000]), tokenizer)


def test_a_tokenizer_that_does_not_know_the_words_is_refused(tmp_path):
    a_tokenizer("words").save_pretrained(tmp_path)

    with pytest.raises(InvalidInput, match=r"bio: \d\d % of its tokens are unknown .*source: Ni"):
        frozen_samples("bio", settings(), Tokenizer(tmp_path))
