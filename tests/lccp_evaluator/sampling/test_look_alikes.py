"""Groups of look-alike needles: all are in the haystack, each value is an answer once."""

from collections import Counter

import numpy as np
import pytest
from sampled import frozen as frozen_samples
from tiny_checkpoints import KINDS, a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.multi_key import MultiKeySettings, resolved
from lccp.probes.probe import Contexts
from lccp_evaluator.sampling.haystacks import Stream
from lccp_evaluator.sampling.look_alikes import evenly_spread
from lccp_evaluator.sampling.tokenization import Tokenizer

SETTINGS = {"lengths": [1_200, 1_600], "groups": [2, 4], "haystacks": 2, "sets": 3}


def settings(**changed):
    contexts = Contexts(1_000, 2_000, 2_000)
    return resolved(MultiKeySettings.parse(SETTINGS | changed, "settings"), contexts)


@pytest.fixture(params=[kind for kind in KINDS if kind != "words"])
def tokenizer(request, tmp_path):
    a_tokenizer(request.param).save_pretrained(tmp_path)
    return Tokenizer(tmp_path)


@pytest.fixture
def frozen(tokenizer):
    return frozen_samples("multi_key", settings(), tokenizer)


def spelled(tokenizer, ids):
    return tokenizer.library.decode(ids).strip()


def questions(frozen):
    found = {}
    for sample in frozen.samples:
        names = ("nominal_length", "haystack", "set", "question")
        found.setdefault(tuple(sample.labels[name] for name in names), []).append(sample)
    return found


def test_every_question_has_one_right_value_and_as_many_wrong_ones_as_its_group(frozen):
    asked = questions(frozen)

    assert len(asked) == 2 * 2 * 3 * 6
    for samples in asked.values():
        (size,) = {sample.labels["group"] for sample in samples}
        assert Counter(sample.role for sample in samples) == {"right": 1, "wrong": size - 1}


@pytest.mark.slow
def test_the_right_value_follows_the_name_that_is_asked_for_in_the_haystack(frozen, tokenizer):
    for samples in questions(frozen).values():
        (right,) = (sample for sample in samples if sample.role == "right")
        prompt = spelled(tokenizer, frozen.tokens(right, (0, right.answer[0])))
        stem = prompt.rsplit("Answer:", 1)[1].strip()
        value = spelled(tokenizer, frozen.tokens(right, right.answer))
        context = prompt.rsplit("Question:", 1)[0]

        assert context.count(f"{stem} {value}.") == 1
        wrong = [spelled(tokenizer, frozen.tokens(s, s.answer)) for s in samples if s is not right]
        assert len({value, *wrong}) == len(samples)
        assert all(f"{stem} {other}." not in context for other in wrong)
        assert all(f" {other}." in context for other in wrong)


def test_samples_of_one_haystack_and_set_begin_alike_and_are_no_longer_than_asked(frozen):
    beginnings = {}
    for sample in frozen.samples:
        assert sample.length <= sample.labels["nominal_length"]
        told_by = tuple(sample.labels[name] for name in ("nominal_length", "haystack", "set"))
        beginnings.setdefault(told_by, set()).add(sample.slices[:-2])
    assert all(len(same) == 1 for same in beginnings.values())
    assert len(frozen.cohorts()) == 2


def test_needles_are_spread_over_the_whole_haystack(frozen):
    for told_by, samples in questions(frozen).items():
        depths = {sample.labels["achieved_depth_percent"] for sample in samples}
        assert len(depths) == 1, told_by
    depths = np.array([sample.labels["achieved_depth_percent"] for sample in frozen.samples])
    assert depths.min() < 20 < 80 < depths.max()


@pytest.mark.slow
def a_stream(sentences, words):
    begins = [np.isin(np.arange(80), tokens) for tokens in (sentences, words)]
    return Stream(np.arange(80, dtype=np.int32), *begins)


@pytest.mark.parametrize(
    ("sentences", "words", "found"),
    [
        ([9, 31, 49, 70], range(80), [9, 31, 49, 70]),
        ([0], range(0, 80, 8), [0, 32, 48, 72]),
        ([0, 31], [0, 11, 45, 66], [0, 31, 45, 66]),
        ([31], [], [0, 31, 31, 31]),
    ],
    ids=["sentences", "none but the first", "some", "hardly any"],
)
def test_needles_are_before_sentences_or_where_there_are_none_before_words(sentences, words, found):
    assert evenly_spread(a_stream(sentences, list(words)), 4) == found


def test_the_same_seed_gives_the_same_samples(tokenizer):
    first, again, other = (
        frozen_samples("multi_key", settings(seed=seed), tokenizer).digest for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_length_that_cannot_hold_the_needles_is_refused(tokenizer):
    with pytest.raises(InvalidInput, match=r"multiKey.lengths: 90 tokens are too few"):
        frozen_samples("multi_key", settings(lengths=[90]), tokenizer)
