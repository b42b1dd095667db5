import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
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


def test_a_tokenizer_with_ids_beyond_the_vocabulary_is_refused(source: Path) -> None:
    rewrite(source, vocab_size=40)
    spec = a_spec()
    with pytest.raises(InvalidInput, match="the tokenizer does not match the model"):
        load_tokenizer(spec, source, load_config(spec, source))


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
