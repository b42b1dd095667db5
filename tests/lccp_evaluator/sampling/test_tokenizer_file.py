"""Tokenizers that transformers reads otherwise than their file says."""

import json
from pathlib import Path

import pytest
from tiny_checkpoints import KINDS, a_tokenizer
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers, trainers

from lccp_evaluator.sampling import tokenizer_file
from lccp_evaluator.sampling.tokenization import Tokenizer


def notes(folder: Path) -> list[str]:
    return tokenizer_file.notes(Tokenizer(folder), folder)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_tokenizer_that_is_read_as_its_file_says_nothing_is_said(
    tmp_path: Path, kind: str
) -> None:
    a_tokenizer(kind).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    library = Library.from_file(str(path))
    library.enable_padding(length=100)
    library.enable_truncation(max_length=7)
    library.save(str(path))

    assert notes(tmp_path) == []


@pytest.fixture
def whole_numbers(tmp_path: Path) -> Path:
    """A folder of a tokenizer whose file keeps numbers whole, and whose class splits them."""
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=letters, special_tokens=["</s>"], show_progress=False
    )
    library.train_from_iterator(["In 1984 it was 12345."] * 9, trainer)
    library.save(str(tmp_path / "tokenizer.json"))
    settings = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


def test_a_class_that_splits_text_otherwise_than_the_file_is_told(whole_numbers: Path) -> None:
    (note,) = notes(whole_numbers)

    assert "read as Qwen2Tokenizer, which gives some text other tokens" in note
    named = {"tokenizer_class": "PreTrainedTokenizerFast"}
    (whole_numbers / "tokenizer_config.json").write_text(json.dumps(named))
    assert notes(whole_numbers) == []
    (whole_numbers / "tokenizer.json").rename(whole_numbers / "other.json")
    assert tokenizer_file.notes(Tokenizer.__new__(Tokenizer), whole_numbers) == []
