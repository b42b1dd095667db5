"""A directory is loaded as a model that can be measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import a_checkpoint
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.model.loading import ADAPTER, context_length, load_model, read_config

PLAN = ExecutionPlan(device="cpu", dtype="float32", threads=1, step_tokens=64)
SIZES = {"vocab_size": 16, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A tiny model."""
    config = AutoConfig.for_model("llama", num_attention_heads=2, **SIZES)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    return tmp_path


def rewrite(directory: Path, **fields: Any) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_model_is_loaded_to_be_captured(directory: Path) -> None:
    loaded = load_model(directory, PLAN.model_copy(update={"dtype": "bfloat16"}))

    with pytest.raises(LookupError, match="observer"):
        loaded.model(torch.ones(1, 2, dtype=torch.int64))
    assert loaded.model.dtype is torch.bfloat16
    assert not loaded.model.training
    assert loaded.notes == ()


def test_a_weight_that_is_not_used_is_noted_and_one_that_is_missing_refused(
    directory: Path,
) -> None:
    path = directory / "model.safetensors"
    weights = load_file(path)
    save_file(weights | {"surplus": torch.ones(1)}, path, metadata={"format": "pt"})
    assert load_model(directory, PLAN).notes == ("1 weights are not used, surplus among them",)

    del weights["model.norm.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(InvalidInput, match=r"lacks 1 of the model's weights, model\.norm\.weight"):
        load_model(directory, PLAN)


def test_weights_of_another_shape_are_refused(directory: Path) -> None:
    rewrite(directory, intermediate_size=4)

    with pytest.raises(InvalidInput, match=r"do not belong together: .* is of shape"):
        load_model(directory, PLAN)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda weight: None, r"is missing, that of other experts of \[\d+, \d+\]"),
        (
            lambda weight: weight[:-1].clone(),
            r"is of shape \[\d+, \d+\], that of other experts of \[",
        ),
    ],
    ids=["missing", "of another shape"],
)
def test_a_weight_of_one_expert_that_does_not_fit_is_named(
    tmp_path: Path, changed: Callable[[torch.Tensor], torch.Tensor | None], told: str
) -> None:
    model = a_checkpoint(tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    name = next(name for name in sorted(weights) if ".experts.1.down_proj" in name)
    weight = changed(weights.pop(name))
    kept = weights if weight is None else weights | {name: weight}
    save_file(kept, model / "model.safetensors", {"format": "pt"})

    with pytest.raises(InvalidInput, match=rf"{model}: its weights are incomplete: {name} {told}"):
        load_model(model, PLAN)


def test_a_weight_that_is_no_number_is_refused(directory: Path) -> None:
    path = directory / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, path, metadata={"format": "pt"})

    with pytest.raises(NotFiniteModel, match=r"model\.norm\.weight"):
        load_model(directory, PLAN)


def test_an_adapter_beside_the_model_is_refused(directory: Path) -> None:
    (directory / ADAPTER).write_text("{}")

    with pytest.raises(InvalidInput, match="holds an adapter"):
        load_model(directory, PLAN)


WITHOUT_FACTOR = '{"model_type": "llama", "rope_parameters": {"rope_type": "yarn"}}'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"contains no config\.json: give the directory"),
        ("{", "is not JSON: it is damaged or cut short"),
        ("[]", "is not a JSON object"),
        ('{"model_type": "none"}', "cannot be read as a model's configuration: "),
        (WITHOUT_FACTOR, r"configuration: Missing required keys in [^\"]+{'factor'}$"),
    ],
    ids=["none", "cut short", "a list", "unknown", "a rotation without its factor"],
)
def test_a_configuration_that_can_not_be_read_is_one_sentence(
    directory: Path, content: str | None, sentence: str
) -> None:
    path = directory / "config.json"
    path.write_text(content) if content else path.unlink()

    with pytest.raises(InvalidInput, match=sentence) as refused:
        read_config(directory)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("layers", [0, -1])
def test_a_model_without_layers_is_refused(directory: Path, layers: int) -> None:
    rewrite(directory, num_hidden_layers=layers)

    with pytest.raises(InvalidInput, match=rf"config.json: num_hidden_layers is {layers}: a mod"):
        load_model(directory, PLAN)


def test_a_context_is_that_of_the_configuration(directory: Path) -> None:
    assert context_length(directory) == 2_048

    for config, tokens in (
        ({"model_type": "gpt2", "n_positions": 300}, 300),
        ({"model_type": "gemma3", "text_config": {"num_hidden_layers": 2}}, 131_072),
    ):
        other = directory / config["model_type"]
        other.mkdir()
        (other / "config.json").write_text(json.dumps(config))
        assert context_length(other) == tokens

    rewrite(directory, max_position_embeddings=0)
    with pytest.raises(InvalidInput, match=r"does not say how many tokens"):
        context_length(directory)


def test_a_rotation_that_transformers_does_not_know_is_named_and_nothing_else_is_said(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(directory, rope_parameters={"rope_type": "ntk-magic", "rope_theta": 10_000.0})
    logging.set_verbosity_warning()
    logging.get_logger().addHandler(caplog.handler)

    assert read_config(directory).model_type == "llama"
    with pytest.raises(InvalidInput, match=r"cannot be loaded as a model: .*ntk-magic"):
        load_model(directory, PLAN)
    logging.get_logger().removeHandler(caplog.handler)
    assert caplog.messages == []


def test_weights_that_do_not_fit_are_a_lack_of_memory_not_a_wrong_model(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(torch.OutOfMemoryError):
        load_model(directory, PLAN)


def test_a_model_with_code_of_its_own_says_how_to_allow_it(tmp_path: Path) -> None:
    told = {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(told))
    (tmp_path / "own.py").write_text("raise SystemExit")

    with pytest.raises(InvalidInput, match=r"Python code.*--trust-remote-code"):
        read_config(tmp_path)


@pytest.mark.parametrize("pinned", ["eager", "flash_attention_2"])
def test_attention_that_a_configuration_pins_does_not_count(directory: Path, pinned: str) -> None:
    rewrite(directory, _attn_implementation=pinned)

    model = load_model(directory, PLAN).model
    with pytest.raises(LookupError, match="observer"):
        model(torch.ones(1, 2, dtype=torch.int64))


def test_weights_whose_scales_would_be_left_out_are_refused(directory: Path) -> None:
    rewrite(directory, quantization_config={"quant_method": "modelopt"})

    with pytest.raises(InvalidInput, match=r"config\.json: quantization_config: .* 'modelopt', so"):
        load_model(directory, PLAN)
