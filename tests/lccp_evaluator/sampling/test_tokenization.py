import pytest
from tiny_checkpoints import KINDS, a_tokenizer

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


def test_a_directory_without_tokenizer_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InvalidInput, match=r"contains no tokenizer"):
        Tokenizer(tmp_path)
