"""The naive way: perplexity from full logits, heads from decoding, each in a pass of its own."""

import math
import time
from typing import Any

import numpy as np
from ways.cost import costing
from ways.task import Outcome, Task, frozen_samples

NEW_TOKENS = 50


def naive(task: Task) -> Outcome:
    """Perplexity from full logits, heads from decoding, one sample at a time."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from lccp_evaluator.sampling.tokenization import Tokenizer

    frozen = frozen_samples(task)
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        task.model, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    newline = Tokenizer(task.model).opening("\n").ids[-1]
    nll, scores, late = [], [], 0.0
    with costing() as cost, torch.inference_mode():
        for sample in frozen.samples:
            passage = frozen.passage(sample)
            nll.append(_nll_from_full_logits(model, passage))
            decoded, late_seconds = _scores_from_decoding(model, passage, newline)
            scores.append(decoded)
            late += late_seconds
    return Outcome(cost, nll, np.mean(scores, axis=0).tolist(), late)


def _nll_from_full_logits(model: Any, passage: Any) -> float:
    import torch

    ids = torch.tensor(passage.ids[None])
    log_p = model(ids, use_cache=False).logits.float().log_softmax(-1)[0]
    rows = torch.arange(*passage.answer) - 1
    return float(-log_p[rows, ids[0, rows + 1]].mean())


def _scores_from_decoding(model: Any, passage: Any, newline: int) -> tuple[np.ndarray, float]:
    """Share of the needle's tokens that each head copies in decoding [layers, heads]; CPU seconds
    after the first newline."""
    import torch
    from transformers import DynamicCache

    prompt = torch.tensor(passage.ids[None, : passage.answer[0]])
    start, stop = passage.needle
    cache = DynamicCache(config=model.config)
    model.set_attn_implementation("sdpa")
    model(prompt[:, :-1], cache=cache)
    model.set_attn_implementation("eager")
    token, copied, ended = prompt[:, -1:], [], math.inf
    for _ in range(NEW_TOKENS):
        output = model(token, cache=cache, output_attentions=True)
        token = output.logits[:, -1].argmax(-1, keepdim=True)
        looked_at = torch.stack([layer[0, :, -1].argmax(-1) for layer in output.attentions])
        in_needle = (looked_at >= start) & (looked_at < stop)
        is_copy = in_needle & (prompt[0, looked_at.clamp(max=prompt.shape[1] - 1)] == token[0, 0])
        copied.append(is_copy.numpy())
        if token.item() == newline:
            ended = min(ended, time.process_time())
    late = max(0.0, time.process_time() - ended)
    return np.sum(copied, axis=0) / (stop - start), late
