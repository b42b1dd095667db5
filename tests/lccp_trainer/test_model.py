import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model import load_config, load_model, load_tokenizer, save_directory


def a_spec(**fields: Any) -> ModelSpec:
    return ModelSpec.parse({"source": "m", "targetContextLength": 256} | fields, "model")


@pytest.fixture
def source(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that may be damaged."""
    return Path(shutil.copytree(tiny / "model", tmp_path / "model"))


def rewrite(source: Path, **fields: Any) -> None:
    path = source / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_base_and_context_are_raised_before_the_model_is_built(source: Path) -> None:
    spec = a_spec(ropeBase=80_000)
    config = load_config(spec, source)
    assert config.max_position_embeddings == 256
    model = load_model(spec, source, config, torch.float32)
    head = config.head_dim
    expected = 1 / 80_000 ** (torch.arange(0, head, 2) / head)
    assert torch.allclose(model.model.rotary_emb.inv_freq, expected)


def test_without_a_base_the_source_s_stays(source: Path) -> None:
    assert load_config(a_spec(), source).rope_parameters["rope_theta"] == 10_000


@pytest.mark.parametrize("kind", ["linear", "dynamic", "yarn", "llama3"])
def test_scaling_is_put_in_transformers_terms(source: Path, kind: str) -> None:
    spec = a_spec(ropeScaling={"type": kind, "factor": "4"})
    rope = load_config(spec, source).rope_parameters
    assert rope["rope_type"] == kind
    assert rope["factor"] == 4
    assert rope["original_max_position_embeddings"] == 64
    load_model(spec, source, load_config(spec, source), torch.float32)


def test_a_scaling_that_lacks_its_factors_is_refused(source: Path) -> None:
    spec = a_spec(ropeScaling={"type": "longrope", "factor": "4"})
    with pytest.raises(InvalidInput, match=r"^model\.ropeScaling: "):
        load_config(spec, source)


def test_a_model_without_rope_is_refused(source: Path) -> None:
    config = {"model_type": "gpt2", "n_positions": 64, "vocab_size": 64}
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidInput, match=r"^model\.ropeBase: a gpt2 model has no"):
        load_config(a_spec(ropeBase=80_000), source)


def test_a_model_of_unknown_type_is_refused(source: Path) -> None:
    rewrite(source, model_type="no_such_model")
    with pytest.raises(InvalidInput, match=r"^model\.source: .*no_such_model"):
        load_config(a_spec(), source)


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
