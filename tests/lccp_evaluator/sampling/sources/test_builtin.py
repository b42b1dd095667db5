"""The built-in haystacks: as much text as requested, never the same paragraph twice."""

import ast
import re
from itertools import islice

import pytest

from lccp.probes.settings.needles import DEFAULT_NEEDLES
from lccp_evaluator.sampling.sources.builtin import paragraphs

LANGUAGES = ("English", "Chinese", "Code")


def some(language, seed="0", count=300):
    return list(islice(paragraphs(language, seed), count))


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_seed_gives_the_same_paragraphs_and_none_comes_twice(language):
    assert some(language) == some(language)
    assert some(language) != some(language, "1")
    assert len(set(some(language, count=3_000))) == 3_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_slot_is_filled(language):
    if language != "Code":
        assert not re.search("[{}]", "".join(some(language)))


def test_prose_is_whole_sentences():
    for paragraph in some("English"):
        sentences = re.split(r"(?<=[.]) ", paragraph)
        assert 4 <= len(sentences) <= 8
        assert all(s[0].isupper() and s.endswith(".") for s in sentences)
    assert all(paragraph.endswith("。") for paragraph in some("Chinese"))


def test_code_can_be_parsed():
    for paragraph in some("Code"):
        (function,) = ast.parse(paragraph).body
        assert isinstance(function, ast.FunctionDef)
        assert ast.get_docstring(function)


@pytest.mark.slow
def test_no_paragraph_holds_what_a_needle_tells():
    text = " ".join(some("English", count=3_000)).lower()
    keys = [needle.key.rstrip(".").lower() for needle in DEFAULT_NEEDLES]
    assert [key for key in keys if key in text] == []
