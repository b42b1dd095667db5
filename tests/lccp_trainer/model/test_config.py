import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model.config import load_config, reading
from lccp_trainer.model.directory import load_model


def a_spec(**fields: Any) -> ModelSpec:
    return ModelSpec.parse({"source": "m", "targetContextLength": 256} | fields, "model")


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


def test_a_config_that_libraries_stumble_over_is_refused(source: Path) -> None:
    rewrite(source, dtype="auto")
    with pytest.raises(InvalidInput, match=r"^model\.source: .*no attribute 'auto'"):
        load_config(a_spec(), source)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] closed by peer"),
        torch.distributed.DistBackendError("NCCL error"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_a_peer_s_death_and_a_lack_of_memory_are_not_put_down_to_the_files(
    error: Exception,
) -> None:
    with pytest.raises(type(error)), reading("model.source: m"):
        raise error


def test_without_a_base_the_source_s_stays(source: Path) -> None:
    assert load_config(a_spec(), source).rope_parameters["rope_theta"] == 10_000


@pytest.mark.parametrize("kind", ["linear", "yarn", "llama3"])
def test_scaling_is_put_in_transformers_terms(source: Path, kind: str) -> None:
    spec = a_spec(ropeScaling={"type": kind, "factor": "4"})
    rope = load_config(spec, source).rope_parameters
    assert rope["rope_type"] == kind
    assert rope["factor"] == 4
    assert rope["original_max_position_embeddings"] == 64
    load_model(spec, source, load_config(spec, source), torch.float32)


def test_longrope_whose_factors_no_manifest_gives_is_refused() -> None:
    said = r"ropeScaling\.type: input should be 'linear', 'dynamic', 'yarn' or 'llama3', not "
    with pytest.raises(InvalidInput, match=f"{said}'longrope'"):
        a_spec(ropeScaling={"type": "longrope", "factor": "4"})


def test_a_model_without_rope_is_refused(source: Path) -> None:
    config = {"model_type": "gpt2", "n_positions": 64, "vocab_size": 64}
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidInput, match=r"^model\.ropeBase: a gpt2 model has no"):
        load_config(a_spec(ropeBase=80_000), source)


def test_a_model_that_does_not_say_how_long_a_context_it_knows_is_refused(source: Path) -> None:
    (source / "config.json").write_text(json.dumps({"model_type": "bloom"}))
    with pytest.raises(InvalidInput, match=r"^model\.source: a bloom model does not say how many"):
        load_config(a_spec(), source)


def test_a_field_of_a_wrong_type_is_named(source: Path) -> None:
    rewrite(source, vocab_size=None)
    with pytest.raises(InvalidInput, match=r"^model\.source: .*'vocab_size'.* int, got NoneType"):
        load_config(a_spec(), source)


def test_a_model_of_unknown_type_is_refused(source: Path) -> None:
    rewrite(source, model_type="no_such_model")
    with pytest.raises(InvalidInput, match=r"^model\.source: .*no_such_model"):
        load_config(a_spec(), source)
