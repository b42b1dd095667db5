import re

import pytest
from tiny_checkpoints import KINDS, a_tokenizer
from tokenizers import Tokenizer as Library
from tokenizers import models, processors
from transformers import PreTrainedTokenizerFast

from lccp.contract.errors import InvalidInput
from lccp_evaluator.sampling.tokenization import Tokenizer

TEXT = "The Work. You may keep it, or give it away.\n\nQuestion: What is it?"


@pytest.fixture(params=KINDS)
def directory(request, tmp_path):
    a_tokenizer(request.param).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("begins", [" You", " keep", " What"])
def test_pieces_of_a_prompt_are_tokenized_as_in_the_whole(directory, begins):
    tokenizer = Tokenizer(directory)
    whole = tokenizer.opening(TEXT)
    split = TEXT.index(begins)
    pieces = tokenizer.opening(TEXT[:split]).ids + tokenizer.following(TEXT[split:]).ids

    assert pieces == whole.ids


def test_offsets_of_a_following_piece_are_its_own(directory):
    text = " Captain Orlow"
    piece = Tokenizer(directory).following(text)

    covered = "".join(text[start:end] for start, end in piece.offsets)
    assert covered.replace(" ", "") == "CaptainOrlow"


def test_what_the_tokenizer_puts_before_a_text_is_known(directory, request):
    has_bos = "pieces with BOS" in request.node.name
    assert Tokenizer(directory).leading == ((1,) if has_bos else ())


@pytest.fixture
def of_characters(tmp_path):
    """Makes tokenizers of single characters, which pass over all others; they begin with `^`."""

    def made(characters):
        vocabulary = {character: number for number, character in enumerate(f"^{characters}")}
        library = Library(models.BPE(vocabulary, []))
        library.post_processor = processors.TemplateProcessing("^ $A", special_tokens=[("^", 0)])
        PreTrainedTokenizerFast(tokenizer_object=library).save_pretrained(tmp_path)
        return Tokenizer(tmp_path)

    return made


def test_a_text_that_the_tokenizer_passes_over_is_refused(of_characters):
    tokenizer = of_characters("abcdefgh. ")

    assert tokenizer.opening("bad cab\n\u200b").left_out == ""
    assert len(tokenizer.opening("a bad cab faced a gaffe: a decade").left_out) == 1
    for text in ("bad (cab), bed", "Bad"):
        for tokenized in (tokenizer.opening, tokenizer.following):
            with pytest.raises(InvalidInput, match=rf"leaves out \d+ % .* of '{re.escape(text)}'"):
                tokenized(text)


def test_a_tokenizer_without_latin_letters_has_leading_tokens_too(of_characters):
    tokenizer = of_characters("天地玄黃。")

    assert tokenizer.leading == (0,)
    assert tokenizer.following("天地").ids == (1, 2)


def test_a_directory_without_tokenizer_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InvalidInput, match=r"contains no tokenizer"):
        Tokenizer(tmp_path)


def test_special_tokens_of_a_template_are_tokens_and_those_of_texts_are_not(directory):
    tokenizer = Tokenizer(directory)
    end = tokenizer.library.convert_tokens_to_ids("</s>")

    assert end not in tokenizer.opening("The Work</s>").ids
    assert tokenizer.following("</s> You", tokenizer.marks("</s>{question}", " You")).ids == (
        end,
        *tokenizer.following(" You").ids,
    )
    assert not tokenizer.marks("{context}{question}", "</s>")
    with pytest.raises(InvalidInput, match=r"contains </s>, a special token of the model's"):
        tokenizer.marks("</s>{question}", "You", "keep</s>")


def test_a_template_that_begins_with_the_leading_tokens_has_them_once(directory):
    tokenizer = Tokenizer(directory)
    begin = tokenizer.library.convert_tokens_to_ids("<s>")

    assert tokenizer.beginning("") == tokenizer.leading
    assert tokenizer.beginning("Work") == (*tokenizer.leading, *tokenizer.opening("Work").ids)
    assert tokenizer.beginning("<s>Work").count(begin) == 1
