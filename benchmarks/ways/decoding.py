"""Retrieval heads as published: prefill, then greedy decoding that reads every head's weights.

Wu et al. 2024, arXiv 2404.15574: all but the last token of the prompt with fast attention (and, as
there, all logits), then 50 tokens with a cache and eager attention that returns its weights. Their
early stop uses tokens of Llama's tokenizer, so there is none here. The arg-max over keys is
computed for all heads of a layer at once, which is faster than their loop.
"""

from typing import Any

import numpy as np
from ways.cost import Cost, costing
from ways.task import Outcome, Task, passages

NEW_TOKENS = 50


def decoding(task: Task) -> Outcome:
    """Mean head scores, one sample at a time."""
    import torch
    from transformers import AutoModelForCausalLM

    asked = passages(task, task.read_by_peers)
    model = AutoModelForCausalLM.from_pretrained(
        task.model, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    with costing() as cost, torch.inference_mode():
        scores = [_scores(model, passage) for passage in asked.values()]
    share = task.all_for_read
    own = Cost(share * cost.seconds, share * cost.cpu_seconds, cost.memory_mib)
    return Outcome(own, {}, np.mean(scores, axis=0).tolist())


def _scores(model: Any, passage: Any) -> np.ndarray:
    """Share of the needle's tokens that each head copies in decoding [layers, heads]."""
    import torch
    from transformers import DynamicCache

    prompt = torch.tensor(passage.ids[None, : passage.answer[0]], dtype=torch.int64)
    start, stop = passage.needle
    cache = DynamicCache(config=model.config)
    model.set_attn_implementation("sdpa")
    model(prompt[:, :-1], cache=cache)
    model.set_attn_implementation("eager")
    token, copied = prompt[:, -1:], []
    for _ in range(NEW_TOKENS):
        output = model(token, cache=cache, output_attentions=True)
        token = output.logits[:, -1].argmax(-1, keepdim=True)
        looked_at = torch.stack([layer[0, :, -1].argmax(-1) for layer in output.attentions])
        in_needle = (looked_at >= start) & (looked_at < stop)
        is_copy = in_needle & (prompt[0, looked_at.clamp(max=prompt.shape[1] - 1)] == token[0, 0])
        copied.append(is_copy.numpy())
    return np.sum(copied, axis=0) / (stop - start)
