"""A model's config.json: read everywhere in one way, with one sentence if it can't be read."""

import re
from pathlib import Path
from typing import Any

import pytest

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp.model_config import (
    CONFIG,
    of_text_model,
    parsed_model_config,
    read_model_config,
    unsuited,
)

LLAMA = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8_192}


def test_what_it_holds_is_given(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text('{"model_type": "llama"}')

    assert read_model_config(tmp_path) == {"model_type": "llama"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", r"config\.json: is not JSON: it is damaged or cut short"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff", "is not JSON"),
        ("[]", "is not a JSON object with the model's configuration"),
        (None, "contains no config.json: give the directory of a Hugging Face model"),
    ],
    ids=["cut short", "too deep", "no text", "a list", "none"],
)
def test_what_can_not_be_read_is_told_with_the_field(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / CONFIG).write_bytes(content.encode(errors="surrogateescape"))

    with pytest.raises(InvalidInput, match=rf"^model\.source: {tmp_path}.*{sentence}"):
        read_model_config(tmp_path, "model.source")


def test_a_folder_that_is_not_there_and_a_folder_in_its_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^there is no folder .*none"):
        read_model_config(tmp_path / "none")
    (tmp_path / CONFIG).mkdir()
    with pytest.raises(InvalidInput, match=r"config\.json: can't be read: Is a directory"):
        read_model_config(tmp_path)


def test_one_of_a_store_is_named_by_its_key() -> None:
    with pytest.raises(InvalidInput, match=r"^runs/1/config\.json: is not JSON"):
        parsed_model_config(b"", "runs/1/config.json")


def stretched(kind: str, factor: str, **fields: Any) -> ModelSpec:
    scaling = {"type": kind, "factor": factor} | fields
    spec = {"source": "m", "targetContextLength": "256K", "ropeScaling": scaling}
    return ModelSpec.parse(spec, "model")


@pytest.mark.parametrize("name", ["rope_parameters", "rope_scaling"])
@pytest.mark.parametrize("within", ["", "text_config"])
@pytest.mark.parametrize(
    ("kind", "factor", "sentence"),
    [
        (
            "yarn",
            "32",
            "type: yarn would undo the source's own scaling, of type llama3: take ",
        ),
        ("dynamic", "2", "type: dynamic would undo the source's own scaling, of type llama3"),
        ("llama3", "4", "factor: 4 would undo the source's own 8, .*: take more than 8, or set "),
    ],
)
def test_a_scaling_that_undoes_the_sources_own_is_refused(
    name: str, within: str, kind: str, factor: str, sentence: str
) -> None:
    config = of_text_model({within: {name: LLAMA}} if within else {name: LLAMA})

    (told,) = unsuited(stretched(kind, factor), config)

    assert re.match(rf"model\.ropeScaling\.{sentence}", told), told
    assert not list(unsuited(stretched(kind, factor, originalContextLength="8K"), config))


def test_only_a_type_that_a_manifest_may_name_is_advised() -> None:
    (told,) = unsuited(stretched("yarn", "2"), {"rope_scaling": {"type": "longrope"}})

    assert told.endswith(", of type longrope: set ropeBase instead, or originalContextLength")


@pytest.mark.parametrize(
    "rope",
    [
        None,
        LLAMA,
        {"rope_type": "default", "rope_theta": 1e4},
        {"type": "dynamic", "alpha": 1_000.0, "factor": 1.0},
        {"rope_type": "llama3", "factor": None},
        {"full_attention": {"rope_type": "default"}},
    ],
)
def test_one_that_goes_on_from_the_sources_is_not(rope: Any) -> None:
    config = {"rope_parameters": rope}

    assert not list(unsuited(stretched("llama3", "32"), config))
    base = ModelSpec.parse(
        {"source": "m", "targetContextLength": "256K", "ropeBase": 8_000_000}, "model"
    )
    assert not list(unsuited(base, config))
