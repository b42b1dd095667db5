"""AutoEP's settings for each family, and the way back to Hugging Face's names."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lccp_trainer.parallel.experts import (
    FAMILIES,
    autoep_settings,
    blocks,
    fused,
    hugging_face_name,
    prepare,
)

CONFIGS: dict[str, dict[str, Any]] = {
    "hunyuan_v1_moe": {"moe_topk": [2, 2]},
    "qwen3_moe": {"num_experts_per_tok": 8, "norm_topk_prob": False},
    "mixtral": {"num_experts_per_tok": 2},
    "deepseek_v3": {
        "num_experts_per_tok": 8,
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "n_group": 8,
        "topk_group": 4,
    },
}


def settings(family: str) -> dict[str, Any]:
    config = SimpleNamespace(model_type=family, **CONFIGS[family])
    return autoep_settings(config, 4)


def test_every_family_is_told_of() -> None:
    assert set(CONFIGS) == set(FAMILIES)
    assert {family: settings(family)["top_k"] for family in FAMILIES} == {
        "hunyuan_v1_moe": 2,
        "qwen3_moe": 8,
        "mixtral": 2,
        "deepseek_v3": 8,
    }
    assert all(settings(family)["autoep_size"] == 4 for family in FAMILIES)


def test_scores_are_as_the_family_makes_them() -> None:
    assert [settings(f)["route_norm"] for f in CONFIGS] == [True, False, True, True]
    deepseek, mixtral = settings("deepseek_v3"), settings("mixtral")
    assert (deepseek["score_func"], mixtral["score_func"]) == ("sigmoid", "softmax")
    assert deepseek["routed_scaling_factor"] == 2.5
    assert (deepseek["num_expert_groups"], deepseek["num_limited_groups"]) == (8, 4)
    assert (mixtral["routed_scaling_factor"], mixtral["num_expert_groups"]) == (1.0, None)
    assert (deepseek["has_shared_experts"], mixtral["has_shared_experts"]) == (True, False)


BLOCK = "model.model.layers.1.mlp"


@pytest.mark.parametrize(
    ("family", "within", "name"),
    [
        ("hunyuan_v1_moe", "router.gate.weight", "gate.wg.weight"),
        ("mixtral", "router.gate.weight", "gate.weight"),
        ("deepseek_v3", "router.e_score_correction_bias", "gate.e_score_correction_bias"),
        ("hunyuan_v1_moe", "shared_experts.up_proj.weight", "shared_mlp.up_proj.weight"),
        ("deepseek_v3", "shared_experts.up_proj.weight", "shared_experts.up_proj.weight"),
    ],
)
def test_names_are_those_of_hugging_face(family: str, within: str, name: str) -> None:
    assert hugging_face_name(f"{BLOCK}.{within}", BLOCK, family) == f"{BLOCK}.{name}"


def test_stacks_are_fused_as_hugging_face_lays_them() -> None:
    gate, up, down = (torch.full((2, 3, 4), float(n)) for n in range(3))

    whole = fused({"w1": gate, "w3": up, "w2": down})

    assert whole["experts.gate_up_proj"].shape == (2, 6, 4)
    assert torch.equal(whole["experts.gate_up_proj"][:, :3], gate)
    assert torch.equal(whole["experts.gate_up_proj"][:, 3:], up)
    assert whole["experts.down_proj"] is down


def test_the_routers_weight_is_found_where_autoep_looks_for_it() -> None:
    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wg = nn.Linear(2, 3)

    model = nn.Sequential(Gate())
    model.config = SimpleNamespace(model_type="mixtral")  # type: ignore[assignment]
    prepare(model)
    assert not hasattr(model[0], "weight")

    model.config.model_type = "hunyuan_v1_moe"
    prepare(model)
    assert model[0].weight is model[0].wg.weight


def test_only_layers_that_autoep_put_in_are_blocks() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    model[1]._is_autoep_layer = True  # type: ignore[assignment]

    assert [name for name, _ in blocks(model)] == ["1"]
