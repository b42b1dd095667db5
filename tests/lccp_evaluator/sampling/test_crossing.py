from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampled import frozen as frozen_samples
from tiny_checkpoints import KINDS, a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.sampling import haystacks
from lccp_evaluator.sampling.needles import DEFAULT_NEEDLES
from lccp_evaluator.sampling.positions import TOLERANCE
from lccp_evaluator.sampling.settings import default_lengths, resolved
from lccp_evaluator.sampling.tokenization import Tokenizer

SETTINGS = {"lengths": [260, 384], "depthsPercent": [0, 30, 100], "haystacks": 3}
NEEDLE = {"stem": "The Work is", "key": "the Work.", "question": "What is the Work?"}


def settings(**changed):
    return resolved(NiahSettings.parse(SETTINGS | changed, "settings"), Contexts(256, 512), 512)


@pytest.fixture(params=KINDS)
def tokenizer(request, tmp_path):
    a_tokenizer(request.param).save_pretrained(tmp_path)
    return Tokenizer(tmp_path)


@pytest.fixture
def frozen(tokenizer):
    return frozen_samples("niah", settings(), tokenizer)


def spelled(tokenizer, ids):
    return tokenizer._tokenizer.decode(ids).replace(" ", "").lower()


def test_samples_are_crossed_the_same_haystacks_and_needles_in_every_cell(frozen):
    labels = ("depth_percent", "haystack", "needle")
    drawn = [(s.length, *(s.labels[name] for name in labels)) for s in frozen.samples]

    assert drawn == list(product((260, 384), (0, 30, 100), range(3), range(2)))


def test_a_sample_has_exactly_its_length_and_its_spans_hold_what_they_say(frozen, tokenizer):
    for sample in frozen.samples:
        passage = frozen.passage(sample)
        needle = DEFAULT_NEEDLES[sample.labels["needle"]]
        sentence = f"{needle.stem} {needle.key}".replace(" ", "").lower()

        def at(span, passage=passage):
            return spelled(tokenizer, passage.ids[slice(*span)])

        assert len(passage.ids) == sample.length == sample.answer[1]
        assert at(sample.needle) == at(sample.answer) == sentence
        key = needle.key.replace(" ", "").lower()
        assert at((sample.answer[0] + sample.key_start, sample.answer[1])) == key
        np.testing.assert_array_equal(
            passage.ids[slice(*sample.needle)], passage.ids[slice(*sample.answer)]
        )
        before_answer = spelled(tokenizer, passage.ids[: sample.answer[0]])
        question = needle.question.replace(" ", "").lower()
        assert before_answer.replace("\n", "").endswith(f"question:{question}answer:")


def test_a_prompt_begins_as_the_tokenizer_begins_texts(frozen, tokenizer):
    for sample in frozen.samples:
        ids = frozen.passage(sample).ids
        assert tuple(ids[: len(tokenizer.leading)]) == tokenizer.leading
        assert list(ids).count(1) == len(tokenizer.leading)


def test_the_needle_stands_at_the_achieved_depth_near_the_nominal_one(frozen):
    for sample in frozen.samples:
        opening, before, _, after, _, _ = (stop - start for _, start, stop in sample.slices)
        achieved, nominal = (sample.labels[f"{name}depth_percent"] for name in ("achieved_", ""))

        assert sample.needle[0] == opening + before
        assert achieved == pytest.approx(100 * before / (before + after), abs=1e-3)
        assert abs(achieved - nominal) <= 100 * TOLERANCE


def test_shorter_samples_take_the_beginning_of_a_haystack(frozen):
    for haystack in range(3):
        texts = [
            np.delete(frozen.passage(s).ids, slice(*s.needle))[:80]
            for s in frozen.samples
            if s.labels["haystack"] == haystack
        ]
        assert all((text == texts[0]).all() for text in texts)


def test_without_its_needle_a_prompt_is_the_same_at_every_depth(frozen):
    def of(sample):
        return sample.labels["haystack"], sample.labels["needle"]

    prompts = {}
    for sample in frozen.samples:
        ids = frozen.passage(sample).ids
        rest = np.delete(ids, slice(*sample.needle)).tobytes()
        prompts.setdefault((sample.length, *of(sample)), set()).add(rest)

    assert len(prompts) == 2 * 3 * 2
    assert all(len(at_all_depths) == 1 for at_all_depths in prompts.values())
    assert len({rest for same in prompts.values() for rest in same}) == len(prompts)


def test_a_template_with_a_beginning_and_another_separator(tokenizer):
    niah = settings(template="Answer: {context} Question: {question}", separator="  ")
    frozen = frozen_samples("niah", niah, tokenizer)
    passage = frozen.passage(frozen.samples[1])

    assert spelled(tokenizer, passage.ids[len(tokenizer.leading) :]).startswith("answer:")
    np.testing.assert_array_equal(
        passage.ids[slice(*passage.needle)], passage.ids[slice(*passage.answer)]
    )


def test_a_length_that_cannot_hold_its_needle_is_refused(tokenizer):
    needed = r"lengths: 40 tokens are too few for needle 0, which takes \d+ with question and ans"
    with pytest.raises(InvalidInput, match=needed):
        frozen_samples("niah", settings(lengths=[40, 384]), tokenizer)


def test_a_needle_with_unknown_tokens_is_refused(tmp_path):
    a_tokenizer("words").save_pretrained(tmp_path)
    needles = [NEEDLE, NEEDLE | {"key": "the zyzzyva."}]

    with pytest.raises(InvalidInput, match=r"needles\[1\]: .* does not know, in key: use"):
        frozen_samples("niah", settings(needles=needles), Tokenizer(tmp_path))


def test_a_needle_that_stands_in_the_haystack_is_refused(tokenizer):
    text = next(haystacks.documents(NiahSettings().haystack, Path()))
    key = " ".join(text.split()[:5])

    with pytest.raises(InvalidInput, match=r"needles\[0\]\.key: .* stands in the haystack's text"):
        frozen_samples("niah", settings(needles=[NEEDLE | {"key": key}] * 2), tokenizer)


def test_chinese_stem_and_key_are_not_parted_by_a_space(tmp_path):
    a_tokenizer("byte pairs").save_pretrained(tmp_path)
    chinese = {"stem": "最好的事情是", "key": "吃三明治。", "question": "最好的事情是什么？"}
    tokenizer = Tokenizer(tmp_path)
    frozen = frozen_samples("niah", settings(needles=[chinese] * 2), tokenizer)

    sample = frozen.samples[0]
    needle = frozen.tokens(sample, sample.needle)

    assert spelled(tokenizer, needle) == "最好的事情是吃三明治。"
    assert spelled(tokenizer, needle[sample.key_start :]) == "吃三明治。"


@given(st.integers(1, 2**27))
def test_default_lengths_rise_from_a_sixteenth_to_the_target(target):
    lengths = default_lengths(target)

    assert lengths[-1] == target
    assert list(lengths) == sorted(set(lengths))
    if target >= 32:
        assert len(lengths) == 8
        assert lengths[0] == pytest.approx(target / 16, rel=0.05) or target < 1_000


def test_defaults_are_resolved_and_written_down():
    niah = resolved(NiahSettings(), Contexts(256, 65_536), 65_536)

    assert niah.document()["lengths"] == [
        4_096, 12_288, 22_528, 30_720, 38_912, 47_104, 57_344, 65_536,
    ]  # fmt: skip
    assert [needle["stem"] for needle in niah.document()["needles"]] == [
        "The best thing to do in San Francisco is",
        "The night baker of Aldermoor hides her spare key",
    ]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"lengths": (1_024,)}, r"niah.lengths: 1024 lies beyond the target context of 512 tok"),
        ({"needles_per_haystack": 9}, r"needlesPerHaystack: 9 needles .*but LCCP ships 8"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changed, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        resolved(NiahSettings(**changed), Contexts(256, 512), 512)
