"""The model families whose passes are tested, as tiny random models, and what is compared.

The evaluator's tests take their cases from here, and so does `docs/reference/families.md`.
"""

from typing import Any, Literal

WAYS: tuple[Literal["Forked", "Whole"], ...] = ("Forked", "Whole")
"""How prompts are read, with heads watched: sharing their beginnings, or each in one pass."""
DTYPES: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
LENGTHS = (70, 110, 160)
"""Lengths of the prompts, in tokens."""
EXACT = 2e-5
"""Largest difference in float32, of an NLL (nats) and of a share of attention."""

YARN = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 128,
}
LATENT = {
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 4,
    "head_dim": 8,
    "num_key_value_heads": 4,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
}
WINDOW = {"sliding_window": 24}
LAYERS = ["sliding_attention", "full_attention", "sliding_attention"]

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "HunYuan MoE": ("hunyuan_v1_moe", {"moe_topk": 1}),
    "HunYuan dense": ("hunyuan_v1_dense", {}),
    "Llama": ("llama", {}),
    "Llama, one key head each": ("llama", {"num_key_value_heads": 4}),
    "Llama, YaRN": ("llama", {"rope_parameters": YARN}),
    "Qwen2": ("qwen2", {}),
    "Qwen3": ("qwen3", {}),
    "Qwen3-MoE": ("qwen3_moe", {}),
    "Mistral": ("mistral", WINDOW),
    "Mixtral": ("mixtral", WINDOW),
    "DeepSeek-V2": ("deepseek_v2", LATENT | {"topk_method": "greedy"}),
    "DeepSeek-V3": ("deepseek_v3", LATENT),
    "Gemma 2": (
        "gemma2",
        WINDOW | {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    ),
    "Gemma 3": ("gemma3_text", WINDOW),
    "GPT-NeoX": ("gpt_neox", {}),
    "Phi-3": ("phi3", {}),
    "OLMo-2": ("olmo2", {}),
    "OLMoE": ("olmoe", {}),
    "gpt-oss": ("gpt_oss", WINDOW | {"rope_parameters": YARN}),
    "GLM-4-MoE": ("glm4_moe", {"n_routed_experts": 4, "n_group": 1, "topk_group": 1}),
    "Cohere2": ("cohere2", WINDOW | {"layer_types": LAYERS}),
}
"""By name: type of the model, and its settings."""

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "biased by distance": ("bloom", {}, "its mask is not transformers' own"),
    "a mask of its own": (
        "mpt",
        {"d_model": 32, "n_heads": 4},
        "its mask is not transformers' own",
    ),
    "chunks": (
        "llama4_text",
        {"attention_chunk_size": 16},
        "its mask is neither causal nor a sliding window",
    ),
    "chunks beyond the first tokens": (
        "llama4_text",
        {"attention_chunk_size": 128},
        "its mask is neither causal nor a sliding window",
    ),
    "a past that is compressed": (
        "deepseek_v4",
        {
            "num_key_value_heads": 1,
            "q_lora_rank": 8,
            "o_groups": 2,
            "o_lora_rank": 8,
            "n_routed_experts": 4,
            "partial_rotary_factor": 0.5,
            "layer_types": ["heavily_compressed_attention"] * 3,
            "mlp_layer_types": ["moe"] * 3,
        }
        | WINDOW,
        "DeepseekV4Attention does not attend over its whole input at once",
    ),
    "layers without attention": (
        "qwen3_next",
        {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "num_hidden_layers": 4},
        "1 of its 4 layers have attention that can be measured",
    ),
}
"""By kind of attention: type of a model, its settings, and why its heads cannot be watched."""
