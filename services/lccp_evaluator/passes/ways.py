"""Which of the engine's ways a model allows: tested on the model before measuring."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model import capture, finite, rope
from lccp_evaluator.model.execution import Way
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.model.support import (
    FURTHER_TOKENS,
    NAMED_TOKENS_MAX,
    check_attention,
    running,
    telling_tokens,
)
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage

TRIAL_TOKENS_MIN = 4
"""So that there is a token to judge before and after the middle."""
TRIAL_STEP_TOKENS = 20
TRIAL_STEPS = 8
"""Where the trial is longer than usual, in about as many steps."""
TOLERANCE_NATS = {torch.float32: 1e-3}
ROUGH_TOLERANCE_NATS = 0.25
"""Of the median token, in half precision, where mere rounding changes single tokens."""


@dataclass(frozen=True)
class Choice:
    """A way, and the reason if beginnings are not shared."""

    way: Way
    reason: str = ""


def choose(model: PreTrainedModel, ids: NDArray[np.integer], longest: int, watches: bool) -> Choice:
    """The best way for `model`, tested on the start of `ids`; prompts have up to `longest` tokens.

    Raises:
        InvalidInput: heads are to be watched (`watches`), but cannot be, or tokens see later ones.
        NotFiniteModel: there are NaN or infinite values.
    """
    choice = _best(model, ids, longest, watches)
    if choice.way == "Whole":
        _check_causal(model, ids, choice.way)
    return choice


def _best(model: PreTrainedModel, ids: NDArray[np.integer], longest: int, watches: bool) -> Choice:
    try:
        _check(model, ids, longest)
    except NotFiniteModel:
        raise
    except InvalidInput as error:
        _check_causal(model, ids, "Native")
        if watches:
            raise InvalidInput(
                f"model type {model.config.model_type!r} cannot be evaluated: {error}; its heads "
                "can be left out (retrievalHeads: {enabled: false})"
            ) from error
        return Choice("Native", str(error))
    kinds = rope.stateful_kinds(model)
    if kinds:
        reason = f"its RoPE scaling ({', '.join(kinds)}) depends on the length"
        return Choice("Stepped" if _can_step(model, ids) else "Whole", reason)
    difference = _difference(model, ids, "Forked", telling_tokens(model))
    if difference > _tolerance(model):
        return Choice("Whole", f"shared beginnings change an NLL by {difference:.2g} nats")
    return Choice("Forked")


def go(model: PreTrainedModel, way: Way) -> None:
    """Set `model` up for `way`."""
    if way != "Native":
        model.set_attn_implementation(capture.NAME)
        return
    with suppress(ValueError):  # it has only eager attention
        model.set_attn_implementation("sdpa")
    if model.config._attn_implementation == capture.NAME:
        model.config._attn_implementation = "eager"


def _check(model: PreTrainedModel, ids: NDArray[np.integer], longest: int) -> None:
    if model.config._attn_implementation != capture.NAME:
        raise InvalidInput("its attention does not go through transformers' attention interface")
    try:
        check_attention(model, ids, longest)
    except NotFiniteModel:
        passage = Passage(np.asarray(ids), (1, len(ids)))
        engine = Engine(model, "Whole", len(ids), watches=False)
        raise finite.named(model, lambda: engine.read([passage])) from None


def _check_causal(model: PreTrainedModel, ids: NDArray[np.integer], way: Way) -> None:
    """Raise InvalidInput if likelihoods change with the tokens that follow, or can't be computed.

    `model` is left set up for `way`.
    """
    go(model, way)
    start = _trial(ids, telling_tokens(model))
    half, tokens = len(start) // 2, model.config.get_text_config(decoder=True).vocab_size
    other = np.concatenate((start[:half], (start[half:] + 1) % tokens))
    engine = Engine(model, way, len(start), watches=False)
    refused = f"model type {model.config.model_type!r} cannot be evaluated"
    with running(f"{refused}: its own code fails on {len(start)} tokens"):
        one, two = engine.read([Passage(ids, (1, half)) for ids in (start, other)])
    if _differ(model, one.nll, two.nll) > _tolerance(model):
        raise InvalidInput(
            f"{refused}: its likelihoods change with the tokens that follow, so it is no causal "
            "language model"
        )


def _can_step(model: PreTrainedModel, ids: NDArray[np.integer]) -> bool:
    """Whether steps give what whole passes do, also beyond the length that rotations change at."""
    original = rope.original_tokens(model)
    if original is None or len(ids) > original > NAMED_TOKENS_MAX:
        return False  # a trial would cost more than a prompt
    tokens = original + FURTHER_TOKENS if len(ids) > original else telling_tokens(model)
    return _difference(model, ids, "Stepped", tokens) <= _tolerance(model)


def _difference(model: PreTrainedModel, ids: NDArray[np.integer], way: Way, tokens: int) -> float:
    """How much the NLL of two passages of `tokens` tokens changes when read by `way` (nats)."""
    start = _trial(ids, tokens)
    half, step_tokens = len(start) // 2, max(TRIAL_STEP_TOKENS, len(start) // TRIAL_STEPS)
    turned = np.concatenate((start[:half], start[half:][::-1]))
    passages = [Passage(one, (1, len(one))) for one in (start, turned)]
    shared, apart = (
        np.concatenate([reading.nll for reading in engine.read(passages)])
        for engine in (
            Engine(model, way, step_tokens, watches=False),
            Engine(model, "Whole", len(start), watches=False),
        )
    )
    return _differ(model, shared, apart)


def _trial(ids: NDArray[np.integer], tokens: int) -> NDArray[np.integer]:
    """The start of `ids`, at most `tokens` of them; repeated if there are too few for a trial."""
    return np.resize(ids, max(min(len(ids), tokens), TRIAL_TOKENS_MIN))


def _differ(model: PreTrainedModel, one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    """How much NLLs differ (nats), to be compared with `_tolerance`."""
    differences = np.abs(one - two)
    return float(differences.max() if model.dtype in TOLERANCE_NATS else np.median(differences))


def _tolerance(model: PreTrainedModel) -> float:
    return TOLERANCE_NATS.get(model.dtype, ROUGH_TOLERANCE_NATS)
