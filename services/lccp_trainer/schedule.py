"""The learning rate, and when checkpoints and states are due: pure functions of tokens trained."""

import math
from bisect import bisect_right
from collections.abc import Sequence, Set

from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput


def learning_rate(training: TrainingSpec, tokens: int) -> float:
    """Learning rate of the step that ends at `tokens`.

    It rises linearly from 0 over the warm-up. Then it is constant, or decays to `finalFraction` of
    itself at the end of the budget, along a line or half a cosine wave. The decay begins at once,
    or `decayTokens` before the end (WSD: warm-up, stable, decay; Hu et al., arXiv 2404.06395).
    """
    schedule, peak = training.schedule, training.learning_rate
    warmup = schedule.warmup_tokens or 0
    if tokens < warmup:
        return peak * tokens / warmup
    if schedule.type == "Constant":
        return peak
    start = decay_start(training)
    progress = min(1.0, max(0, tokens - start) / max(1, training.tokens - start))
    left = (1 + math.cos(math.pi * progress)) / 2 if schedule.type == "Cosine" else 1 - progress
    return peak * (schedule.final_fraction + (1 - schedule.final_fraction) * left)


def decay_start(training: TrainingSpec) -> int:
    """Tokens at which a decaying schedule begins to decay."""
    schedule = training.schedule
    if schedule.type == "WSD":
        return training.tokens - (schedule.decay_tokens or 0)
    return schedule.warmup_tokens or 0


def check_budget(training: TrainingSpec, tokens: int, old_budget: int) -> None:
    """Raise InvalidInput if the budget differs from `old_budget` and would raise a decayed rate.

    Args:
        tokens: trained so far.
    """
    if training.schedule.type == "Constant" or training.tokens == old_budget:
        return
    before = training.model_copy(update={"tokens": old_budget})
    if tokens > decay_start(before):
        raise InvalidInput(
            f"training.tokens: {training.tokens} instead of {old_budget} changes a learning rate "
            f"that decays by schedule {training.schedule.type} already, at {tokens} tokens: "
            f"set it back to {old_budget}, or start a run of another name from the last checkpoint"
        )


def is_due(due: Sequence[int], before: int, after: int) -> bool:
    """Whether the step from `before` to `after` tokens reaches a token count in `due` (sorted)."""
    return bisect_right(due, after) > bisect_right(due, before)


def reaches_multiple(every: int | None, before: int, after: int) -> bool:
    """Whether the step from `before` to `after` tokens reaches a multiple of `every`."""
    return every is not None and after // every > before // every


def kept(
    states: Sequence[int], newest: int, every: int | None, always: Set[int] = frozenset()
) -> set[int]:
    """The states (by tokens) to keep: the `newest`, the first per multiple of `every`, `always`.

    Without `every`, no multiples.
    """
    ascending = sorted(states)
    stay = {*ascending[-newest:], *(always & {*states})}
    if every is not None:
        before = [0, *ascending]
        stay |= {t for b, t in zip(before, ascending, strict=False) if t // every > b // every}
    return stay
