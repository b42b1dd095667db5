"""The model families whose passes are tested, as tiny random models."""

from typing import Any

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
