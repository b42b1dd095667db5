import re
from itertools import product

import numpy as np
import pytest
from sampled import frozen as frozen_samples
from tiny_checkpoints import KINDS, a_tokenizer
from tokenizers import Tokenizer as Library
from tokenizers import normalizers
from transformers import PreTrainedTokenizerFast

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings, resolved
from lccp.probes.probe import Contexts
from lccp.probes.settings.needles import DEFAULT_NEEDLES
from lccp_evaluator.sampling.crossing import FULL, NONE, ORACLE
from lccp_evaluator.sampling.positions import MOST_PERCENT
from lccp_evaluator.sampling.tokenization import Tokenizer

SETTINGS = {"lengths": [260, 384], "depthsPercent": [0, 30, 100], "haystacks": 3}
SETTINGS |= {"needlesPerHaystack": 2}
TOLD = ("orchard", "garden", "work")
NEEDLE = {"stem": "The Work is", "key": "the Work.", "question": "What is the Work?"}


def settings(**changed):
    return resolved(NiahSettings.parse(SETTINGS | changed, "settings"), Contexts(256, 512, 512))


@pytest.fixture(params=KINDS)
def tokenizer(request, tmp_path):
    a_tokenizer(request.param).save_pretrained(tmp_path)
    return Tokenizer(tmp_path)


@pytest.fixture
def frozen(tokenizer):
    return frozen_samples("niah", settings(), tokenizer)


def of(frozen, role):
    return [sample for sample in frozen.samples if sample.role == role]


def spelled(tokenizer, ids):
    return tokenizer.library.decode(ids).replace(" ", "").lower()


def test_samples_are_crossed_the_same_haystacks_and_needles_in_every_cell(frozen):
    labels = ("depth_percent", "haystack", "needle")
    drawn = [(s.length, *(s.labels[name] for name in labels)) for s in of(frozen, FULL)]

    assert drawn == list(product((260, 384), (0, 30, 100), range(3), range(2)))


def test_a_sample_has_exactly_its_length_and_its_spans_hold_what_they_say(frozen, tokenizer):
    for sample in of(frozen, FULL):
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
    for sample in of(frozen, FULL):
        opening, before, _, after, _, _ = (stop - start for _, start, stop in sample.slices)
        achieved, nominal = (sample.labels[f"{name}depth_percent"] for name in ("achieved_", ""))

        assert sample.needle[0] == opening + before
        assert achieved == pytest.approx(100 * before / (before + after), abs=1e-3)
        assert abs(achieved - nominal) <= MOST_PERCENT


def test_shorter_samples_take_the_beginning_of_a_haystack(frozen):
    for haystack in range(3):
        texts = [
            np.delete(frozen.passage(s).ids, slice(*s.needle))[:80]
            for s in of(frozen, FULL)
            if s.labels["haystack"] == haystack
        ]
        assert all((text == texts[0]).all() for text in texts)


def test_without_its_needle_a_prompt_is_the_same_at_every_depth(frozen):
    def told_by(sample):
        return sample.length, sample.labels["haystack"], sample.labels["needle"]

    prompts = {}
    for sample in of(frozen, FULL):
        ids = frozen.passage(sample).ids
        rest = np.delete(ids, slice(*sample.needle)).tobytes()
        prompts.setdefault(told_by(sample), set()).add(rest)

    assert len(prompts) == 2 * 3 * 2
    assert all(len(at_all_depths) == 1 for at_all_depths in prompts.values())
    assert len({rest for same in prompts.values() for rest in same}) == len(prompts)


def test_every_needle_is_asked_for_without_context_and_with_itself_alone(frozen):
    for number in (0, 1):
        full, none, oracle = (
            next(one for one in of(frozen, role) if one.labels["needle"] == number)
            for role in (FULL, NONE, ORACLE)
        )
        start, answer = full.slices[0][2], frozen.tokens(full, full.answer)
        asked = frozen.passage(none).ids[start:]

        np.testing.assert_array_equal(frozen.passage(full).ids[-len(asked) :], asked)
        assert none.needle is None
        assert oracle.needle is None
        alone = frozen.passage(oracle).ids[start:]
        np.testing.assert_array_equal(alone, np.concatenate((answer, asked)))


def test_no_haystack_holds_a_telling_word_of_a_needle(tmp_path):
    a_tokenizer("byte pairs").save_pretrained(tmp_path)
    tokenizer = Tokenizer(tmp_path)
    needles = [NEEDLE | {"key": "an Orchard."}, NEEDLE | {"key": "the garden."}]

    frozen = frozen_samples("niah", settings(needles=needles), tokenizer)

    contexts = {one.slices[1][0] for one in of(frozen, FULL)}
    texts = [tokenizer.library.decode(frozen.parts[part]).casefold() for part in contexts]
    assert len(texts) == 3
    assert not any(word in re.findall(r"\w+", text) for text in texts for word in TOLD)
    assert re.fullmatch(r"niah: \d+ sentences .* words of needles", frozen.header.notes[0])


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


def test_a_needle_whose_key_has_no_token_is_refused(tmp_path):
    """Every model would say such a key."""
    library = Library.from_str(a_tokenizer("words").backend_tokenizer.to_str())
    passed_over = normalizers.Replace("\u200b", "")
    library.normalizer = normalizers.Sequence([normalizers.Lowercase(), passed_over])
    whole = PreTrainedTokenizerFast(tokenizer_object=library, unk_token="<unk>")
    whole.save_pretrained(tmp_path)
    needles = [NEEDLE, NEEDLE | {"key": "\u200b"}]

    with pytest.raises(InvalidInput, match=r"needles\[1\]: .* does not know"):
        frozen_samples("niah", settings(needles=needles), Tokenizer(tmp_path))


def test_a_needle_that_stands_in_the_haystack_is_refused(tokenizer):
    """Its words are too short and common to give anything away, so no sentence was left out."""
    with pytest.raises(InvalidInput, match=r"needles\[0\]\.key: .* occurs in the haystack's text"):
        frozen_samples("niah", settings(needles=[NEEDLE | {"key": "at the"}] * 2), tokenizer)


def test_chinese_stem_and_key_are_not_parted_by_a_space(tmp_path):
    a_tokenizer("byte pairs").save_pretrained(tmp_path)
    chinese = {"stem": "最好的事情是", "key": "吃三明治。", "question": "最好的事情是什么？"}
    tokenizer = Tokenizer(tmp_path)
    frozen = frozen_samples("niah", settings(needles=[chinese] * 2), tokenizer)

    sample = frozen.samples[0]
    needle = frozen.tokens(sample, sample.needle)

    assert spelled(tokenizer, needle) == "最好的事情是吃三明治。"
    assert spelled(tokenizer, needle[sample.key_start :]) == "吃三明治。"


def test_special_tokens_of_a_template_are_single_tokens(tokenizer):
    template = "<s>You\n{context}\n{question}</s>\nWork"
    frozen = frozen_samples("niah", settings(template=template), tokenizer)
    marks = tokenizer.library.convert_tokens_to_ids(["<s>", "</s>"])

    for sample in frozen.samples:
        ids = frozen.passage(sample).ids.tolist()
        assert ids[0] == marks[0]
        assert [ids.count(mark) for mark in marks] == [1, 1]


def test_a_question_that_holds_a_special_token_of_such_a_template_is_named(tokenizer):
    asked = {"template": "{context}{question}</s>", "needles": [NEEDLE | {"question": "Work</s>"}]}

    with pytest.raises(InvalidInput, match=r"needles\[0\]\.question: the text contains </s>, a"):
        frozen_samples("niah", settings(needlesPerHaystack=1, **asked), tokenizer)
