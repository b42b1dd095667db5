"""The learning rate, and when checkpoints are due: pure functions of the tokens trained."""

import math
from bisect import bisect_right
from collections.abc import Sequence

from lccp.api.spec.training import TrainingSpec


def learning_rate(training: TrainingSpec, tokens: int) -> float:
    """Learning rate of the step that ends at `tokens`.

    It rises linearly from 0 over the warm-up; after that it is constant, or goes to
    `finalFraction` of itself at the end of the budget, along a line or half a cosine wave.
    """
    schedule, peak = training.schedule, training.learning_rate
    warmup = schedule.warmup_tokens or 0
    if tokens < warmup:
        return peak * tokens / warmup
    if schedule.type == "Constant":
        return peak
    progress = min(1.0, (tokens - warmup) / max(1, training.tokens - warmup))
    left = 1 - progress if schedule.type == "Linear" else (1 + math.cos(math.pi * progress)) / 2
    return peak * (schedule.final_fraction + (1 - schedule.final_fraction) * left)


def is_due(due: Sequence[int], before: int, after: int) -> bool:
    """Whether the step from `before` to `after` tokens reaches a token count in `due` (sorted)."""
    return bisect_right(due, after) > bisect_right(due, before)
