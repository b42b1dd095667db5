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

BY_LAYER = WINDOW | {
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "global_head_dim": 16,
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": 97,
    "num_kv_shared_layers": 0,
}
MAMBA = {
    "mamba_n_heads": 8,
    "mamba_d_head": 8,
    "mamba_d_state": 16,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
}
DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "num_hidden_layers": 4,
}
OLD_MAMBA = {"mamba_d_state": 8, "mamba_dt_rank": 4, "use_mamba_kernels": False}

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
    "Gemma 3n": ("gemma3n_text", BY_LAYER | {"activation_sparsity_pattern": [0.0] * 4}),
    "Gemma 4": ("gemma4_text", BY_LAYER),
    "Gemma 4, keys shared by layers": ("gemma4_text", BY_LAYER | {"num_kv_shared_layers": 2}),
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

HYBRIDS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "Bamba": ("bamba", MAMBA | {"attn_layer_indices": [1]}, False),
    "Falcon-H1": ("falcon_h1", MAMBA | {"mamba_d_ssm": 64}, True),
    "Granite 4": (
        "granitemoehybrid",
        MAMBA | {"layer_types": ["mamba", "attention", "mamba"], "shared_intermediate_size": 16},
        True,
    ),
    "Jamba": (
        "jamba",
        OLD_MAMBA
        | {
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
        },
        False,
    ),
    "LFM2": (
        "lfm2",
        {"layer_types": ["conv", "full_attention", "conv"], "block_auto_adjust_ff_dim": False},
        True,
    ),
    "Mamba": ("mamba", {"state_size": 8, "time_step_rank": 4}, False),
    "Mamba-2": (
        "mamba2",
        {"num_heads": 8, "head_dim": 8, "state_size": 16, "n_groups": 1, "chunk_size": 16},
        True,
    ),
    "MiniMax-01": (
        "minimax",
        {
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "block_size": 32,
        },
        False,
    ),
    "Nemotron-H": (
        "nemotron_h",
        {
            "layers_block_type": ["mamba", "attention", "mlp"],
            "mamba_num_heads": 8,
            "mamba_head_dim": 8,
            "ssm_state_size": 16,
            "n_groups": 1,
            "chunk_size": 16,
        },
        True,
    ),
    "OLMo hybrid": ("olmo_hybrid", DELTA, True),
    "Qwen3-Next": ("qwen3_next", DELTA | {"shared_expert_intermediate_size": 16}, True),
    "RecurrentGemma": (
        "recurrent_gemma",
        {
            "attention_window_size": 24,
            "lru_width": 32,
            "block_types": ["recurrent", "attention"],
        },
        False,
    ),
    "RWKV": ("rwkv", {"attention_hidden_size": 32}, True),
    "Zamba2": (
        "zamba2",
        {
            "num_mem_blocks": 1,
            "layers_block_type": ["mamba", "hybrid", "mamba"],
            "hybrid_layer_ids": [1],
            "mamba_d_state": 16,
            "mamba_headdim": 8,
            "n_mamba_heads": 8,
            "mamba_ngroups": 1,
            "chunk_size": 16,
            "attention_hidden_size": 64,
            "attention_head_dim": 16,
            "adapter_rank": 8,
        },
        True,
    ),
}
"""With layers that mix tokens by other means than attention. By name: type of the model, its
settings, and whether it reads on from its own cache with the same results."""
WATCHED = "Falcon-H1"
"""The one of them whose layers all have attention, so that its heads can be watched."""
IN_STEPS = 1e-3
"""Largest difference of an NLL (nats) between steps by the model's own cache and a whole pass."""
