import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model import directory
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_model, load_tokenizer, save_directory


def a_spec(**fields: Any) -> ModelSpec:
    return ModelSpec.parse({"source": "m", "targetContextLength": 256} | fields, "model")


def rewrite(source: Path, **fields: Any) -> None:
    path = source / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_weight_that_is_missing_is_not_made_up(source: Path) -> None:
    rewrite(source, num_hidden_layers=3)
    spec = a_spec()
    with pytest.raises(InvalidInput, match=r"^model\.source: .*weight model\.layers\.2.* missing"):
        load_model(spec, source, load_config(spec, source), torch.float32)


def test_a_weight_of_another_shape_is_refused(source: Path) -> None:
    rewrite(source, intermediate_size=48)
    spec = a_spec()
    with pytest.raises(InvalidInput, match=r"^model\.source: "):
        load_model(spec, source, load_config(spec, source), torch.float32)


def test_a_file_beside_the_weights_that_is_odd_is_refused(source: Path) -> None:
    (source / "generation_config.json").write_text("[]")
    spec = a_spec()
    with pytest.raises(InvalidInput, match=r"^model\.source: .*: 'list' object is not a mapping"):
        load_model(spec, source, load_config(spec, source), torch.float32)


def test_a_tokenizer_with_ids_beyond_the_vocabulary_is_refused(source: Path) -> None:
    rewrite(source, vocab_size=40)
    spec = a_spec()
    with pytest.raises(InvalidInput, match="the tokenizer does not match the model"):
        load_tokenizer(spec, source, load_config(spec, source))


@pytest.mark.parametrize("settings", [[], {"eos_token": ["a"]}, {"added_tokens_decoder": {"x": 1}}])
def test_a_tokenizer_whose_settings_are_odd_is_refused(source: Path, settings: Any) -> None:
    spec = a_spec()
    config = load_config(spec, source)
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(InvalidInput, match=r"^model\.source: .*: tokenizer: "):
        load_tokenizer(spec, source, config)


def test_companions_are_copied_as_they_are(source: Path, tmp_path: Path) -> None:
    """transformers itself refuses to save these settings of generation."""
    settings = '{"do_sample": false, "temperature": 0.7}'
    (source / "generation_config.json").write_text(settings)
    spec = a_spec()
    model = load_model(spec, source, load_config(spec, source), torch.float32)
    save_directory(model, model.state_dict(), source, tmp_path / "saved")
    assert (tmp_path / "saved" / "generation_config.json").read_text() == settings


@pytest.mark.parametrize("length", [64, None, "64"])
def test_servers_may_take_the_longer_context(source: Path, tmp_path: Path, length: Any) -> None:
    path = source / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": length}))
    spec = a_spec()
    model = load_model(spec, source, load_config(spec, source), torch.float32)
    save_directory(model, model.state_dict(), source, tmp_path / "saved")
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").model_max_length == 256


def test_large_weights_lie_in_several_files(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "SHARD_SIZE", "20KB")
    spec, saved = a_spec(), tmp_path / "saved"
    model = load_model(spec, source, load_config(spec, source), torch.float32)
    save_directory(model, model.state_dict(), source, saved)
    assert len(list(saved.glob("model-*-of-*.safetensors"))) > 1
    again = load_model(spec, saved, load_config(spec, saved), torch.float32)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])


def test_weights_lie_as_transformers_lays_them(source: Path, tmp_path: Path) -> None:
    spec = a_spec()
    model = load_model(spec, source, load_config(spec, source), torch.float32)
    save_directory(model, model.state_dict(), source, tmp_path / "ours")
    model.save_pretrained(tmp_path / "theirs")
    ours, theirs = (
        load_file(tmp_path / folder / "model.safetensors") for folder in ("ours", "theirs")
    )
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    configs = [json.loads((tmp_path / f / "config.json").read_text()) for f in ("ours", "theirs")]
    assert configs[0] == configs[1]


def test_what_is_saved_can_be_loaded_and_read_by_others(source: Path, tmp_path: Path) -> None:
    spec, saved = a_spec(ropeBase=80_000), tmp_path / "saved"
    (source / "chat_template.jinja").write_text("{{ messages }}")
    model = load_model(spec, source, load_config(spec, source), torch.float32)
    save_directory(model, model.state_dict(), source, saved)
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= {
        file.name for file in saved.iterdir()
    }
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in saved.iterdir())
    config = load_config(a_spec(), saved)
    assert (config.rope_parameters["rope_theta"], config.max_position_embeddings) == (80_000, 256)
    again = load_model(a_spec(), saved, config, torch.float32)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
