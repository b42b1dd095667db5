"""Checks of a model's directory without loading the model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model.source import (
    check_companions,
    check_source,
    check_tokenizer,
    check_weights,
    companions,
    context_length,
    flops_of_token,
    read_config,
)

MODEL = ModelSpec.parse({"source": "model", "targetContextLength": 128}, "model")
CONFIG = {"max_position_embeddings": 64, "vocab_size": 3}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A model of three words."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "model.safetensors")
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2}, unk_token="a"))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def rewrite(directory: Path, **fields: Any) -> None:
    (directory / "config.json").write_text(json.dumps(CONFIG | fields))


def test_a_whole_directory_can_be_the_source(directory: Path) -> None:
    check_source(MODEL, directory)


def test_a_target_below_the_sources_context_is_refused(directory: Path) -> None:
    rewrite(directory, max_position_embeddings=129)

    with pytest.raises(InvalidInput, match=r"^model\.targetContextLength: 128 is less .* of 129"):
        check_source(MODEL, directory)


def test_fields_may_lie_in_the_configuration_of_the_text_model(directory: Path) -> None:
    assert context_length({"text_config": {"max_position_embeddings": 9}}, directory) == 9
    for unset in ({}, None, "none"):
        with pytest.raises(InvalidInput, match="does not set max_position_embeddings"):
            context_length({"text_config": unset}, directory)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "contains no config.json"), ("{", "is not JSON"), ("[]", "is not a JSON object")],
)
def test_a_configuration_must_be_an_object(
    directory: Path, content: str | None, sentence: str
) -> None:
    path = directory / "config.json"
    path.write_text(content) if content else path.unlink()

    with pytest.raises(InvalidInput, match=f"^model.source: .*{sentence}"):
        read_config(directory)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"there is no folder .*none"):
        read_config(tmp_path / "none")


def test_weights_must_be_there_and_whole(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match=r"model\.safetensors is damaged or cut short"):
        check_weights(directory)

    path.unlink()
    with pytest.raises(InvalidInput, match="contains no weights"):
        check_weights(directory)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_pointer_of_git_lfs_is_named_for_what_it_is(directory: Path, name: str) -> None:
    (directory / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:a\n")

    with pytest.raises(InvalidInput, match=rf"{name} is a pointer of Git LFS, .*git lfs pull"):
        check_source(MODEL, directory)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ('{"weight_map": {"a": "model.safetensors", "b": "z.safetensors"}}', "z.* is missing"),
        ("[]", "is not an index of safetensors files"),
        ("[" * 100_000, "is not an index of safetensors files"),
    ],
    ids=["a file is missing", "a list", "too deep"],
)
def test_every_file_that_an_index_names_must_be_there(
    directory: Path, index: str, sentence: str
) -> None:
    (directory / "model.safetensors.index.json").write_text(index)

    with pytest.raises(InvalidInput, match=sentence):
        check_weights(directory)


def test_a_model_must_know_every_id_of_its_tokenizer(directory: Path) -> None:
    with pytest.raises(InvalidInput, match="ids up to 2, but the model's vocabulary has 2"):
        check_tokenizer(directory, CONFIG | {"vocab_size": 2})

    check_tokenizer(directory, CONFIG | {"vocab_size": 3})


def test_a_tokenizer_must_be_there(directory: Path) -> None:
    (directory / "tokenizer.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"tokenizer\.json is not a tokenizer"):
        check_tokenizer(directory, CONFIG)

    (directory / "tokenizer.json").unlink()
    with pytest.raises(InvalidInput, match="contains no tokenizer"):
        check_tokenizer(directory, CONFIG)
    (directory / "tokenizer_config.json").write_text("{}")
    check_tokenizer(directory, CONFIG)


def test_companions_are_all_but_config_index_and_weights(directory: Path) -> None:
    for name in ("merges.txt", "model.safetensors.index.json", "notes.md", "chat.jinja"):
        (directory / name).write_text("{}")

    assert [file.name for file in companions(directory)] == [
        "chat.jinja",
        "merges.txt",
        "tokenizer.json",
    ]


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["cut short", "too deep"])
def test_a_companion_that_is_not_json_is_named(directory: Path, text: str) -> None:
    (directory / "generation_config.json").write_text(text)

    with pytest.raises(InvalidInput, match=r"generation_config\.json is not JSON"):
        check_companions(directory)


def test_flops_are_told_where_the_kind_of_the_model_is_known(directory: Path) -> None:
    assert flops_of_token(directory) is None

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 4}
    rewrite(directory, model_type="llama", num_hidden_layers=2, **shape)
    flops = flops_of_token(directory)
    assert flops is not None
    assert flops(128) - flops(64) == 6 * 2 * 64 * 16
