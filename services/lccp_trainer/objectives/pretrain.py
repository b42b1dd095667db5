"""Continual pre-training: every token is predicted from those before it in its document."""

import torch
from torch.nn.functional import cross_entropy

IGNORED = -100


def summed_nll(logits: torch.Tensor, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """NLL of every token given those before it in its document, summed.

    Args:
        logits: [rows, length, vocabulary].
        tokens: [rows, length].
        positions: [rows, length], 0 where a document starts: what starts it is not predicted.
    """
    targets = tokens[:, 1:].masked_fill(positions[:, 1:] == 0, IGNORED)
    return cross_entropy(
        logits[:, :-1].flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )
