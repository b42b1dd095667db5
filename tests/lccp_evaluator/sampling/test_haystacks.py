import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_checkpoints import KINDS, a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import HaystackSpec
from lccp_evaluator.sampling import haystacks
from lccp_evaluator.sampling.tokenization import Tokenizer


@pytest.fixture(params=KINDS)
def tokenizer(request, tmp_path):
    a_tokenizer(request.param).save_pretrained(tmp_path)
    return Tokenizer(tmp_path)


def spelled(tokenizer, ids):
    return tokenizer._tokenizer.decode(ids).strip().lower()


def test_built_in_text_is_the_default_and_never_ends():
    few = haystacks.units(HaystackSpec(), Path(), haystacks=10, tokens=1_000)
    many = haystacks.units(HaystackSpec(), Path(), haystacks=10, tokens=100_000)

    assert sum(map(len, few)) >= 10 * 1_000 * haystacks.CHARACTERS_PER_TOKEN
    assert many[: len(few)] == few
    assert len(set(many)) == len(many)


def test_haystacks_differ_at_every_length_and_are_the_same_for_the_same_seed(tokenizer):
    texts = haystacks.units(HaystackSpec(), Path(), haystacks=20, tokens=3_000)
    streams = haystacks.draw(texts, tokenizer, haystacks=20, tokens=3_000, seed=5)
    again = haystacks.draw(texts, tokenizer, haystacks=20, tokens=3_000, seed=5)
    other = haystacks.draw(texts, tokenizer, haystacks=20, tokens=3_000, seed=6)

    assert all(len(stream.ids) == 3_000 for stream in streams)
    for length in (20, 300, 3_000):
        assert len({stream.first(length).ids.tobytes() for stream in streams}) == 20
    assert all((a.ids == b.ids).all() for a, b in zip(streams, again, strict=True))
    assert any((a.ids != b.ids).any() for a, b in zip(streams, other, strict=True))


def test_a_stream_knows_where_sentences_and_words_begin(tokenizer):
    text = '\n\nThe Work. "You" (or "Your") may. Each Work?'
    piece = tokenizer.following(text)
    stream = haystacks.stream(text, piece)

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


def test_few_paragraphs_are_drawn_by_sentence(tmp_path):
    (tmp_path / "a.txt").write_text("One is here. Two is there! Is three? Four.")
    spec = HaystackSpec(path="a.txt", format="Text")

    assert haystacks.units(spec, tmp_path, haystacks=4, tokens=10) == [
        " One is here.",
        " Two is there!",
        " Is three?",
        " Four.",
    ]
    with pytest.raises(InvalidInput, match=r"haystack: holds 4 sentences, too few for 5"):
        haystacks.units(spec, tmp_path, haystacks=5, tokens=10)


def test_documents_are_read_from_every_format(tmp_path):
    lines = "".join(json.dumps({"body": text}) + "\n" for text in ("First.", "Second."))
    (tmp_path / "plain.jsonl").write_text(lines)
    with gzip.open(tmp_path / "packed.jsonl.gz", "wt") as file:
        file.write(lines)
    (tmp_path / "note.txt").write_text("Third.")

    jsonl = HaystackSpec(path=".", text_field="body")
    text = HaystackSpec(path="note.txt", format="Text")

    assert list(haystacks.documents(jsonl, tmp_path)) == ["First.", "Second."] * 2
    assert list(haystacks.documents(text, tmp_path)) == ["Third."]


def test_blank_lines_a_byte_order_mark_and_other_names_are_read(tmp_path):
    (tmp_path / "marked.json").write_bytes(
        b'\xef\xbb\xbf{"text": "First."}\n\n{"text": "Second."}\n'
    )
    (tmp_path / "notes.jsonl").mkdir()

    assert list(haystacks.documents(HaystackSpec(path="."), tmp_path)) == ["First.", "Second."]


def test_what_is_spelled_like_a_special_token_is_text(tokenizer):
    text = "One. </s> Two. <s> Three. " * 5
    stream = haystacks.stream(text, tokenizer.following(text))

    assert not {1, 2} & set(stream.ids.tolist())


def test_a_haystack_of_unknown_words_is_refused(tmp_path):
    a_tokenizer("words").save_pretrained(tmp_path)
    texts = [f" Zyzzyva {number} qwijibo." for number in range(40)]

    with pytest.raises(InvalidInput, match=r"\d\d % of its tokens are unknown to the model's tok"):
        haystacks.draw(texts, Tokenizer(tmp_path), haystacks=2, tokens=30, seed=0)


def test_half_a_surrogate_pair_is_refused(tokenizer):
    with pytest.raises(InvalidInput, match="half a surrogate pair"):
        tokenizer.following("One \ud800 two.")


FAULTS = {
    "missing": (None, r"evaluation.probes.niah.haystack.path: .*hay.jsonl is missing"),
    "no such field": (b'{"text": "a"}\n{"words": "b"}\n', r"line 2: is not a JSON object with a t"),
    "not JSON": (b"prose\n", r"line 1: is not a JSON object"),
    "not text": (b"\xff\xfe\x00", r"is not UTF-8 text, or damaged"),
}


@pytest.mark.parametrize(("content", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_haystack_is_refused_in_one_sentence(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "hay.jsonl").write_bytes(content)

    with pytest.raises(InvalidInput, match=sentence):
        list(haystacks.documents(HaystackSpec(path="hay.jsonl"), tmp_path))


def test_a_folder_without_documents_says_what_it_should_hold(tmp_path):
    with pytest.raises(InvalidInput, match=r"holds no .jsonl or .jsonl.gz"):
        list(haystacks.documents(HaystackSpec(path="."), tmp_path))
