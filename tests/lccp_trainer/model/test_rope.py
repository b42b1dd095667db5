"""The rotations of a written checkpoint beside those that transformers computes itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from equality import make_model
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from layouts import FAMILIES, LENGTH
from lccp.api.spec.model import ModelSpec
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_model, save_directory

TARGET = 4 * LENGTH
BASE, RAISED = 10_000, 80_000
POSITIONS = torch.arange(TARGET)[None]
LOW_HIGH = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def a_spec(**fields: Any) -> ModelSpec:
    return ModelSpec.parse({"source": "m", "targetContextLength": TARGET} | fields, "model")


def rotations(spec: ModelSpec, source: Path, to: Path) -> tuple[torch.Tensor, ...]:
    """Frequencies, cosines and sines of the model that is trained, which its checkpoint has too."""
    model = load_model(spec, source, load_config(spec, source), torch.float32)
    save_directory(model, model.state_dict(), source, to)
    trained = _rotations(model)
    for ours, written in zip(
        trained, _rotations(AutoModelForCausalLM.from_pretrained(to)), strict=True
    ):
        assert torch.equal(ours, written)
    return trained


def _rotations(model: Any) -> tuple[torch.Tensor, ...]:
    rotary = model.base_model.rotary_emb
    return rotary.inv_freq, *rotary(torch.zeros(1), POSITIONS)


def expected(kind: str, source: Path, **parameters: Any) -> tuple[torch.Tensor, float]:
    """Frequencies, and the factor of cosines and sines, by transformers alone."""
    rope = {"rope_type": kind, "rope_theta": float(BASE), **parameters}
    config = AutoConfig.from_pretrained(source, rope_parameters=rope)
    return ROPE_INIT_FUNCTIONS[kind](config, seq_len=TARGET)


def check(found: tuple[torch.Tensor, ...], frequencies: torch.Tensor, factor: float) -> None:
    angles = torch.cat([POSITIONS[0, :, None] * frequencies] * 2, dim=1)
    wanted = (frequencies, angles.cos()[None] * factor, angles.sin()[None] * factor)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["linear", "dynamic", "yarn", "llama3"])
def test_a_scaling_is_what_transformers_computes(
    family: str, kind: str, models: Path, tmp_path: Path
) -> None:
    source = make_model(family, models)
    found = rotations(a_spec(ropeScaling={"type": kind, "factor": "4"}), source, tmp_path / "saved")
    parameters = {"factor": 4.0, "original_max_position_embeddings": LENGTH}
    check(found, *expected(kind, source, **parameters, **(LOW_HIGH if kind == "llama3" else {})))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_is_that_of_the_rotations(family: str, models: Path, tmp_path: Path) -> None:
    source = make_model(family, models)
    found = rotations(a_spec(ropeBase=RAISED), source, tmp_path / "saved")
    check(found, *expected("linear", source, rope_theta=float(RAISED), factor=1.0))


def a_source(of: Path, to: Path, **rope: Any) -> Path:
    """A copy of a model that has a scaling of its own."""
    to.mkdir()
    for file in of.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    config = json.loads((of / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "dynamic", "rope_theta": float(BASE)} | rope
    (to / "config.json").write_text(json.dumps(config))
    return to


@pytest.mark.parametrize(
    ("asked", "kind", "parameters"),
    [
        ({}, "linear", {"factor": 1.0}),
        ({"ropeBase": RAISED}, "linear", {"factor": 1.0, "rope_theta": float(RAISED)}),
        ({"ropeScaling": {"type": "linear", "factor": "4"}}, "linear", {"factor": 4.0}),
    ],
)
def test_the_alpha_of_a_source_is_a_part_of_its_base(
    asked: dict[str, Any], kind: str, parameters: dict[str, Any], models: Path, tmp_path: Path
) -> None:
    """HunYuan-A13B has one of 1,000: a base that is asked for is not multiplied by it."""
    plain = make_model("hunyuan_v1_moe", models)
    source = a_source(plain, tmp_path / "source", alpha=1000.0, factor=1.0)
    found = rotations(a_spec(**asked), source, tmp_path / "saved")
    own = {"rope_theta": BASE * 1000.0 ** (8 / 6)}
    check(found, *expected(kind, plain, **(own | parameters)))


def test_the_dynamic_scaling_of_a_source_is_that_of_the_target(
    models: Path, tmp_path: Path
) -> None:
    plain = make_model("llama", models)
    source = a_source(plain, tmp_path / "source", factor=2.0)
    found = rotations(a_spec(), source, tmp_path / "saved")
    check(found, *expected("dynamic", plain, factor=2.0))


@pytest.mark.parametrize("kind", ["yarn", "llama3"])
@pytest.mark.parametrize("field", [{}, {"originalContextLength": 2 * LENGTH}])
def test_a_scaling_goes_on_from_what_the_sources_own_counts_from(
    kind: str, field: dict[str, int], models: Path, tmp_path: Path
) -> None:
    """Llama 3.1 says 8,192, not its context of 131,072 tokens."""
    plain, own = make_model("llama", models), {"original_max_position_embeddings": LENGTH // 4}
    own |= LOW_HIGH if kind == "llama3" else {}
    source = a_source(plain, tmp_path / "source", rope_type=kind, factor=4.0, **own)
    scaling = {"type": kind, "factor": "16"} | field
    found = rotations(a_spec(ropeScaling=scaling), source, tmp_path / "saved")
    own |= {"original_max_position_embeddings": 2 * LENGTH} if field else {}
    check(found, *expected(kind, plain, **own, factor=16.0))


def test_a_scaling_of_another_type_keeps_nothing_of_the_sources_own(
    models: Path, tmp_path: Path
) -> None:
    plain = make_model("llama", models)
    own = {"factor": 4.0, "original_max_position_embeddings": LENGTH, "attention_factor": 3.0}
    source = a_source(plain, tmp_path / "source", rope_type="yarn", **own)
    scaling = {"type": "linear", "factor": "8", "originalContextLength": LENGTH}
    found = rotations(a_spec(ropeScaling=scaling), source, tmp_path / "saved")
    check(found, *expected("linear", plain, factor=8.0))
    written = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert "attention_factor" not in written["rope_parameters"]
