import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import a_checkpoint
from transformers import AutoModelForCausalLM

from lccp.contract.errors import DiskFailed, InvalidInput
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.model.loading import load_model
from lccp_evaluator.series.files import (
    ModelDigests,
    check_whole,
    digest,
    model_files,
    stamps,
    stamps_or_none,
    weight_names,
)

INDEX = "model.safetensors.index.json"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory that is in two shards according to its files."""
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    (directory / "tokenizer.json").write_text("{}")
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    for name, shard in shards.items():
        save_file({name: torch.ones(3, 5)}, directory / shard, {"format": "pt"})
    (directory / INDEX).write_text(json.dumps({"weight_map": shards}))
    return directory


def test_only_the_model_and_its_tokenizer_make_the_digest(model: Path) -> None:
    before = digest(model)
    (model / "README.md").write_text("of no weight")
    (model / "optimizer.pt").write_bytes(b"1")
    (model / "optimizer.safetensors").write_bytes(b"1")
    (model / "out").mkdir()
    (model / "out" / "report.json").write_text("{}")
    assert digest(model) == before
    assert set(model_files(model)) == {
        "config.json",
        "tokenizer.json",
        INDEX,
        "model-1.safetensors",
        "model-2.safetensors",
    }

    save_file({"b": torch.zeros(3, 5)}, model / "model-2.safetensors")
    assert digest(model) != before


def test_the_weights_are_those_that_transformers_loads(tmp_path: Path) -> None:
    """A directory that two saves wrote to holds one file for all, and another save's index."""
    directory = a_checkpoint(tmp_path / "model", model_type="llama")
    weights = directory / "model.safetensors"
    sharded = AutoModelForCausalLM.from_pretrained(directory)
    torch.nn.init.zeros_(sharded.lm_head.weight)
    sharded.save_pretrained(directory, max_shard_size="50KB")

    loaded = load_model(directory, ExecutionPlan.here()).model
    assert weight_names(directory) == [weights.name]
    assert loaded.lm_head.weight.abs().sum() > 0
    for shard in directory.glob("model-*.safetensors"):
        shard.unlink()
    check_whole(directory)


@pytest.mark.parametrize("is_split", [False, True], ids=["one file", "an index"])
def test_weights_that_the_configuration_names_make_the_digest(
    tmp_path: Path, is_split: bool
) -> None:
    directory = a_checkpoint(tmp_path / "model", model_type="llama")
    own = directory / "model.safetensors"
    named = own.rename(directory / "own.safetensors")
    if is_split:
        names = list(load_file(named))
        named = directory / "own.safetensors.index.json"
        named.write_text(
            json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, "own.safetensors")})
        )
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(
        json.dumps(config | {"transformers_weights": named.name})
    )
    save_file({"unused": torch.ones(1)}, own, {"format": "pt"})

    before = digest(directory)
    load_model(directory, ExecutionPlan.here())
    assert weight_names(directory) == ["own.safetensors"]
    assert {"own.safetensors", named.name} <= set(model_files(directory))
    assert own.name not in model_files(directory)
    own.unlink()
    assert digest(directory) == before
    save_file(load_file(directory / "own.safetensors"), directory / "own.safetensors", {"v": "2"})
    assert digest(directory) != before


@pytest.mark.parametrize("named", ["../x.safetensors", "/x.safetensors", "own.bin", 3])
def test_other_weights_that_the_configuration_names_are_refused(model: Path, named: object) -> None:
    (model / "config.json").write_text(json.dumps({"transformers_weights": named}))

    with pytest.raises(InvalidInput, match=r"config\.json: transformers_weights is .* but must be"):
        digest(model)


def test_what_ends_a_text_counts_where_texts_are_generated(model: Path) -> None:
    generating, judging = digest(model), digest(model, generates=False)
    assert generating == judging
    (model / "generation_config.json").write_text('{"eos_token_id": 5}')

    assert digest(model, generates=False) == judging
    assert digest(model) != generating
    assert ModelDigests(generates=False).of(model) == judging
    assert ModelDigests().of(model) == digest(model)


def test_a_rewritten_file_has_another_stamp(model: Path) -> None:
    before = stamps(model)
    assert stamps(model) == before
    (model / "tokenizer.json").write_text("{ }")
    assert {n for n, stamp in stamps(model).items() if stamp != before[n]} == {"tokenizer.json"}


def test_what_cannot_be_read_as_a_model_has_no_stamps(model: Path) -> None:
    assert stamps_or_none(model) == stamps(model)
    (model / "model-1.safetensors").unlink()
    assert stamps_or_none(model) is None
    assert stamps_or_none(model / "gone") is None


@pytest.mark.parametrize("kept", [0, 7, 20, 150])
def test_weights_that_are_cut_short_are_told(model: Path, kept: int) -> None:
    check_whole(model)
    shard = model / "model-2.safetensors"
    whole = shard.read_bytes()
    assert kept < len(whole)
    shard.write_bytes(whole[:kept])

    with pytest.raises(InvalidInput, match=r"model-2.safetensors: is cut short"):
        check_whole(model)


def test_weights_with_more_bytes_than_their_header_says_are_not_called_cut_short(
    model: Path,
) -> None:
    with (model / "model-2.safetensors").open("ab") as shard:
        shard.write(b"more")

    with pytest.raises(InvalidInput, match=r"model-2.safetensors: is damaged: it has"):
        check_whole(model)


HEADERS = {"too deep": b"[" * 100_000, "infinite": b'{"b": {"data_offsets": [0, 1e999]}}'}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_weights_whose_header_cannot_be_read_are_told(model: Path, header: bytes) -> None:
    shard = model / "model-2.safetensors"
    shard.write_bytes(len(header).to_bytes(8, "little") + header)

    with pytest.raises(InvalidInput, match=r"model-2.safetensors: is cut short or damaged"):
        check_whole(model)


UNREADABLE = {errno.EACCES: InvalidInput, errno.EIO: DiskFailed}


@pytest.mark.parametrize("number", UNREADABLE)
@pytest.mark.parametrize("name", ["config.json", "model-2.safetensors"])
def test_a_file_that_cannot_be_read_is_not_called_damaged(
    model: Path, name: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def failing(path: Path, *given: Any, **more: Any) -> Any:
        if path.name == name:
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", failing)

    with pytest.raises(InvalidInput, match=f"{name}: can't be read: {os.strerror(number)}") as told:
        check_whole(model)
    assert told.type is UNREADABLE[number]


def test_a_missing_shard_is_named(model: Path) -> None:
    (model / "model-1.safetensors").unlink()

    with pytest.raises(InvalidInput, match=r"contains no model-1.safetensors: it is not complete"):
        check_whole(model)


def test_weights_of_another_format_are_not_waited_for_as_if_they_were_to_come(model: Path) -> None:
    for path in (INDEX, "model-1.safetensors", "model-2.safetensors"):
        (model / path).unlink()
    (model / "pytorch_model.bin").touch()

    with pytest.raises(InvalidInput, match=r"no model.safetensors, but pickled weights, .*\.bin"):
        stamps(model)


def test_a_shard_is_to_come_whatever_another_program_saves_beside_it(model: Path) -> None:
    (model / "model-2.safetensors").unlink()
    (model / "global_step10").mkdir()

    with pytest.raises(InvalidInput, match=r"contains no model-2.safetensors: it is not complete$"):
        stamps(model)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": {}}'])
def test_an_index_that_names_nothing_is_told(model: Path, text: str) -> None:
    (model / INDEX).write_text(text)

    with pytest.raises(InvalidInput, match=INDEX):
        model_files(model)


def test_a_digest_is_computed_again_only_when_files_changed(model: Path) -> None:
    digests = ModelDigests()
    assert digests.of(model) == digest(model)
    digests.note(model, stamps(model), "as it was told")
    assert digests.of(model) == "as it was told"

    (model / "tokenizer.json").write_text('{"other": 1}')
    assert digests.of(model) == digest(model)
