"""Parameters counted from a configuration, against models built by torch."""

import json
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture

SIZES = {
    "vocab_size": 101,
    "hidden_size": 32,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
}
LATENT: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "q_lora_rank": 16,
    "kv_lora_rank": 12,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 6,
    "n_routed_experts": 4,
    "n_shared_experts": 2,
    "num_experts_per_tok": 1,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama"},
    "llama with biases": {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "mistral": {"model_type": "mistral", "head_dim": 16},
    "qwen2": {"model_type": "qwen2", "tie_word_embeddings": True},
    "qwen3": {"model_type": "qwen3", "head_dim": 16, "attention_bias": True},
    "qwen3_moe": {
        "model_type": "qwen3_moe",
        "head_dim": 8,
        "num_experts": 6,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
    },
    "qwen3_moe with dense layers": {
        "model_type": "qwen3_moe",
        "num_experts": 6,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
        "mlp_only_layers": [1],
        "decoder_sparse_step": 2,
    },
    "mixtral": {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2},
    "hunyuan_v1_dense": {"model_type": "hunyuan_v1_dense", "head_dim": 8},
    "hunyuan_v1_moe": {
        "model_type": "hunyuan_v1_moe",
        "head_dim": 8,
        "num_experts": 4,
        "moe_topk": [1, 1, 1],
        "tie_word_embeddings": True,
    },
    "deepseek_v3": LATENT,
    "deepseek_v3, biased, without a latent query": LATENT
    | {"q_lora_rank": None, "attention_bias": True},
}


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_parameters_are_those_of_the_built_model(settings: dict[str, Any]) -> None:
    config = AutoConfig.for_model(**SIZES | settings)
    model = AutoModelForCausalLM.from_config(config)
    counted = sum(parameter.numel() for parameter in model.parameters())
    architecture = Architecture.from_config(json.loads(config.to_json_string()))
    assert architecture.parameters == counted
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    if experts:
        chosen = {"mixtral": 2 / 4, "qwen3_moe": 2 / 6, "hunyuan_v1_moe": 1 / 4}
        chosen["deepseek_v3"] = 1 / 4
        passed = counted - experts * (1 - chosen[settings["model_type"]])
        assert architecture.active_parameters == round(passed)
    else:
        assert architecture.active_parameters == counted


def test_hunyuan_a13b_has_80_billion_parameters_and_13_active() -> None:
    model = Architecture.from_config(
        {
            "model_type": "hunyuan_v1_moe",
            "vocab_size": 128_167,
            "hidden_size": 4_096,
            "intermediate_size": 3_072,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "num_experts": 64,
            "moe_topk": [8] * 32,
            "tie_word_embeddings": True,
        }
    )
    assert model.parameters / 1e9 == pytest.approx(80.4, abs=0.05)
    assert model.active_parameters / 1e9 == pytest.approx(12.75, abs=0.05)


def test_deepseek_v3_has_671_billion_parameters_and_37_active() -> None:
    """arXiv 2412.19437, without the module that predicts a second token."""
    config = json.loads(AutoConfig.for_model("deepseek_v3").to_json_string())
    model = Architecture.from_config(config)
    assert model.parameters / 1e9 == pytest.approx(671.0, abs=0.05)
    assert model.active_parameters / 1e9 == pytest.approx(37.55, abs=0.05)


LLAMA = SIZES | {"model_type": "llama"}
WRONG = {
    "other model": (SIZES | {"model_type": "mamba"}, "model_type 'mamba' can't be counted"),
    "no model": (SIZES, "model_type None"),
    "missing": ({k: v for k, v in LLAMA.items() if k != "vocab_size"}, "vocab_size must be"),
    "text": (LLAMA | {"hidden_size": "32"}, "hidden_size must be a whole number, not '32'"),
    "short list": (
        SIZES | {"model_type": "hunyuan_v1_moe", "num_experts": 4, "moe_topk": [1]},
        "num_experts_per_tok must be a whole number",
    ),
}


@pytest.mark.parametrize(("config", "words"), WRONG.values(), ids=WRONG)
def test_a_config_that_cannot_be_counted_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Architecture.from_config(config)
