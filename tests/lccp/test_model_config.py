"""A model's config.json: read everywhere in one way, with one sentence if it can't be read."""

from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp.model_config import CONFIG, parsed_model_config, read_model_config


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
