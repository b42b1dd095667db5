from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from tiny_checkpoints import KINDS, a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling import haystacks
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import TokenizedText, Tokenizer

NONE = frozenset()
WHERE = "evaluation.probes.niah.haystack"


@pytest.fixture(params=KINDS)
def tokenizer(request, tmp_path):
    a_tokenizer(request.param).save_pretrained(tmp_path)
    return Tokenizer(tmp_path)


def spelled(tokenizer, ids):
    return tokenizer.library.decode(ids).strip().lower()


@pytest.mark.slow
def test_built_in_text_is_the_default_and_never_ends():
    few = haystacks.units(
        Documents(), Files(Path()), haystacks=10, tokens=1_000, words=NONE, where=WHERE
    ).texts
    many = haystacks.units(
        Documents(), Files(Path()), haystacks=10, tokens=10_000, words=NONE, where=WHERE
    ).texts

    assert sum(map(len, few)) >= 10 * 1_000 * haystacks.CHARACTERS_PER_TOKEN
    assert many[: len(few)] == few
    assert len(set(many)) == len(many)


@pytest.mark.slow
def test_haystacks_differ_at_every_length_and_are_the_same_for_the_same_seed(tokenizer):
    texts = haystacks.units(
        Documents(), Files(Path()), haystacks=20, tokens=1_000, words=NONE, where=WHERE
    ).texts
    streams = haystacks.draw(texts, tokenizer, haystacks=20, tokens=1_000, seed=5, where=WHERE)
    again = haystacks.draw(texts, tokenizer, haystacks=20, tokens=1_000, seed=5, where=WHERE)
    other = haystacks.draw(texts, tokenizer, haystacks=20, tokens=1_000, seed=6, where=WHERE)

    assert all(len(stream.ids) == 1_000 for stream in streams)
    for length in (20, 300, 1_000):
        assert len({stream.first(length).ids.tobytes() for stream in streams}) == 20
    assert all((a.ids == b.ids).all() for a, b in zip(streams, again, strict=True))
    assert any((a.ids != b.ids).any() for a, b in zip(streams, other, strict=True))


def test_a_stream_knows_where_sentences_and_words_begin(tokenizer):
    text = '\n\nThe Work. "You" (or "Your") may. Each Work?'
    piece = tokenizer.following(text)
    stream = haystacks.stream(piece)

    sentences = [spelled(tokenizer, stream.ids[i:]) for i in np.flatnonzero(stream.begins_sentence)]
    words = [spelled(tokenizer, stream.ids[i:]) for i in np.flatnonzero(stream.begins_word)]
    assert [s.replace(" ", "")[:5] for s in sentences] == ["thewo", '"you"', "eachw"]
    assert [w.replace(" ", "")[:3] for w in words] == [
        "the",
        "wor",
        '"yo',
        "(or",
        '"yo',
        "may",
        "eac",
        "wor",
    ]


@pytest.mark.parametrize(
    ("tokens", "begin"),
    [
        (["A", " b", ".", "\n\n", "C", " d", "."], [0, 3]),
        (["A", " b", ".\n\n", "C", " d", "."], [0]),
        (["A", " b", ".\n", "\nC", " d", "."], [0, 3]),
    ],
    ids=["a token of their own", "with the full stop", "on both sides"],
)
def test_a_needle_never_touches_the_sentence_after_it(tokens, begin):
    ends = list(accumulate(map(len, tokens)))
    offsets = tuple(zip([0, *ends], ends, strict=False))
    piece = TokenizedText(tuple(range(len(tokens))), offsets, "".join(tokens))

    found = haystacks.stream(piece)

    assert np.flatnonzero(found.begins_sentence).tolist() == begin


def test_few_paragraphs_are_drawn_by_sentence(tmp_path):
    (tmp_path / "a.txt").write_text("One is here. Two is there! Is three? Four.")
    spec = Documents(path="a.txt", format="Text")

    assert haystacks.units(
        spec, Files(tmp_path), haystacks=4, tokens=10, words=NONE, where=WHERE
    ).texts == [
        " One is here.",
        " Two is there!",
        " Is three?",
        " Four.",
    ]
    with pytest.raises(InvalidInput, match=r"haystack: holds 4 different sentences, too few"):
        haystacks.units(spec, Files(tmp_path), haystacks=5, tokens=10, words=NONE, where=WHERE)


def test_a_paragraph_that_is_repeated_begins_one_haystack_only(tmp_path, tokenizer):
    spec = Documents(path="a.txt", format="Text", language="Code")

    def units(text, count):
        (tmp_path / "a.txt").write_text(text)
        files = Files(tmp_path)
        return haystacks.units(spec, files, count, tokens=40, words=NONE, where=WHERE).texts

    texts = units("each work\n\n" * 5 + "  each work\n\nthe work\n", 2)
    assert len(texts) == 7
    for seed in range(10):
        streams = haystacks.draw(texts, tokenizer, 2, tokens=40, seed=seed, where=WHERE)
        assert len({stream.first(2).ids.tobytes() for stream in streams}) == 2
    with pytest.raises(InvalidInput, match=r"holds 1 different sentences, too few for 2"):
        units("each work\n\n" * 5, 2)


def test_sentences_with_words_of_needles_are_left_out_and_counted(tmp_path):
    (tmp_path / "a.txt").write_text("A cat sat. The Dog ran! Hotdogs?\n\nA dog.\n\nNo\npets here.")
    spec = Documents(path="a.txt", format="Text")

    found = haystacks.units(
        spec, Files(tmp_path), haystacks=2, tokens=10, words=frozenset({"dog"}), where=WHERE
    )

    assert found == haystacks.Units(["\n\nA cat sat. Hotdogs?", "\n\nNo pets here."], left_out=2)
    with pytest.raises(
        InvalidInput, match=r"holds 3 different sentences, without 2 that hold words"
    ):
        haystacks.units(
            spec, Files(tmp_path), haystacks=4, tokens=10, words=frozenset({"dog"}), where=WHERE
        )


def test_chinese_is_cut_into_sentences_without_white_space_and_code_keeps_its_lines(tmp_path):
    (tmp_path / "a.txt").write_text("猫在这里。狗在那里。鸟。")
    (tmp_path / "b.txt").write_text("def f():\n    return 1\n\ndef g():\n    return 2\n")
    chinese = Documents(path="a.txt", format="Text", language="Chinese")
    code = Documents(path="b.txt", format="Text", language="Code")

    def texts(spec, words=NONE, where=WHERE):
        return haystacks.units(
            spec, Files(tmp_path), haystacks=2, tokens=10, words=words, where=WHERE
        ).texts

    assert texts(chinese) == ["猫在这里。", "狗在那里。", "鸟。"]
    assert texts(chinese, frozenset({"狗"})) == ["猫在这里。", "鸟。"]
    assert texts(code) == ["\n\ndef f():\n    return 1", "\n\ndef g():\n    return 2"]


def test_what_is_spelled_like_a_special_token_is_text(tokenizer):
    text = "One. </s> Two. <s> Three. " * 5
    stream = haystacks.stream(tokenizer.following(text))

    assert not {1, 2} & set(stream.ids.tolist())


def test_a_haystack_of_unknown_words_is_refused(tmp_path):
    a_tokenizer("words").save_pretrained(tmp_path)
    texts = [f" Zyzzyva {number} qwijibo." for number in range(40)]

    with pytest.raises(InvalidInput, match=r"\d\d % of its tokens are unknown to the model's tok"):
        haystacks.draw(texts, Tokenizer(tmp_path), haystacks=2, tokens=30, seed=0, where=WHERE)


def test_half_a_surrogate_pair_is_refused(tokenizer):
    with pytest.raises(InvalidInput, match="half of a surrogate pair"):
        tokenizer.following("One \ud800 two.")


def test_of_a_very_long_text_no_more_is_tokenized_than_may_be_needed(tokenizer):
    class Counting:
        longest = 0

        def __getattr__(self, name):
            return getattr(tokenizer, name)

        def following(self, text):
            self.longest = max(self.longest, len(text))
            return tokenizer.following(text)

    text = "The Work. You may. Each Work? " * 10_000
    counting, texts = Counting(), [text, f"Each {text}"]
    long = haystacks.draw(texts, counting, haystacks=2, tokens=50, seed=0, where=WHERE)
    short = [text[:5_000] for text in texts]

    assert counting.longest == 2 * 50 * haystacks.CHARACTERS_PER_TOKEN
    for one, other in zip(
        long,
        haystacks.draw(short, tokenizer, haystacks=2, tokens=50, seed=0, where=WHERE),
        strict=True,
    ):
        assert one.ids.tolist() == other.ids.tolist()
