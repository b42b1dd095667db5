"""A run to plan: a mixture of experts of 1.5 billion parameters, and its config.json."""

from typing import Any

from lccp.api.run import LCCPRun

CONFIG: dict[str, Any] = {
    "model_type": "qwen3_moe",
    "vocab_size": 32_000,
    "hidden_size": 1_024,
    "intermediate_size": 2_048,
    "moe_intermediate_size": 512,
    "num_experts": 32,
    "num_experts_per_tok": 4,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 64,
}

SMALL: dict[str, Any] = {
    "model_type": "qwen3_moe",
    "vocab_size": 1_000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "moe_intermediate_size": 32,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
"""A config.json of few parameters."""


def planned(nodes: int = 1, processes: int = 4, **training: Any) -> LCCPRun:
    """The run on as many nodes; `training` replaces fields of its training."""
    return LCCPRun.parse(manifest(nodes, processes, **training), "planned")


def manifest(nodes: int = 1, processes: int = 4, **training: Any) -> dict[str, Any]:
    """Its manifest."""
    length = 32_768
    return {
        "apiVersion": "lccp.io/v1alpha1",
        "kind": "LCCPRun",
        "metadata": {"name": "planned"},
        "spec": {
            "model": {"source": "m", "targetContextLength": length},
            "data": {"shortFraction": "0", "sources": [{"name": "a", "kind": "Long", "path": "a"}]},
            "training": {
                "tokens": "1B",
                "globalBatchTokens": 64 * length,
                "learningRate": "1e-5",
            }
            | training,
            "topology": {"nodes": nodes, "processesPerNode": processes},
            "checkpoints": {"everyTokens": "100M"},
        },
    }
