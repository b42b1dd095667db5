"""Tiny random models of several architectures, and passages to read with them."""

from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from lccp_evaluator.model import capture
from lccp_evaluator.passes.passage import Passage

VOCABULARY = 97
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 16,
    "moe_intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def a_model(model_type: str, **settings: Any) -> PreTrainedModel:
    """A random model; its weights are large, so that heads have clear preferences."""
    capture.register()
    torch.manual_seed(7)
    config = AutoConfig.for_model(model_type, **SIZES | settings)
    return AutoModelForCausalLM.from_config(config, attn_implementation=capture.NAME).eval()


def a_passage(length: int, answer: int, seed: int) -> Passage:
    """Tokens of a tiny alphabet, so that heads often look at the token that comes next.

    The needle is all that precedes the answer, but for two tokens at either end.
    """
    ids = np.random.default_rng(seed).integers(3, 7, length)
    return Passage(ids, (length - answer, length), (2, length - answer - 2))


def rotations_by_length(original: int) -> dict[str, dict[str, Any]]:
    """RoPE scalings, by name, whose rotations change beyond a prompt of `original` tokens."""
    factors = {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4, "factor": 4.0}
    longrope = {"rope_type": "longrope", "original_max_position_embeddings": original, **factors}
    return {"dynamic": {"rope_type": "dynamic", "factor": 4.0}, "longrope": longrope}
