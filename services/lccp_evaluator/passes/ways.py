"""Which of the engine's ways a model allows: tested on the model before measuring."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from lccp.api.causes import Cause, cause_of
from lccp.contract.errors import InvalidInput
from lccp_evaluator.model import capture, finite, rope
from lccp_evaluator.model.execution import OWN, Way
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.model.support import (
    CHECKED_TOKENS,
    FURTHER_TOKENS,
    NAMED,
    NAMED_TOKENS_MAX,
    check_attention,
    named_tokens,
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
FORGETTING = re.compile(f"{NAMED.pattern}|window")
"""Names in configurations of lengths beyond which a model's own cache may keep less."""
TOLERANCE_NATS = {torch.float32: 1e-3}
ROUGH_TOLERANCE_NATS = 0.25
"""Of nine tokens in ten, in half precision, where mere rounding changes single tokens."""
ROUGH_SHARE = 0.9


@dataclass(frozen=True)
class Choice:
    """A way, and the reason if beginnings are not shared.

    `resumes`: a model that reads prompts whole also reads on from its own cache, with the same
    results.
    """

    way: Way
    reason: str = ""
    resumes: bool = False


def choose(model: PreTrainedModel, ids: NDArray[np.integer], longest: int, watches: bool) -> Choice:
    """The best way for `model`, tested on the start of `ids`; prompts have up to `longest` tokens.

    Raises:
        InvalidInput: heads are to be watched (`watches`), but cannot be, or tokens see later ones.
        NotFiniteModel: there are NaN or infinite values.
        MemoryError: the test itself exceeds the memory.
    """
    try:
        return _tested(model, ids, longest, watches)
    except Exception as error:
        if cause_of(error) is not Cause.OUT_OF_MEMORY:
            raise
        tokens = max(_further_tokens(model), telling_tokens(model))
        raise MemoryError(
            f"not enough memory to test model type {model.config.model_type!r} before measuring, "
            f"in passes of up to {min(len(ids), tokens):,} tokens, from which on it shows how it "
            "reads long prompts: give a device with more memory"
        ) from error


def _tested(
    model: PreTrainedModel, ids: NDArray[np.integer], longest: int, watches: bool
) -> Choice:
    choice = _best(model, ids, longest, watches)
    if choice.way == "Whole":
        _check_causal(model, ids, choice.way)
    if choice.way == "Native" or (choice.way == "Whole" and not watches):
        return replace(choice, resumes=_resumes(model, ids))
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
    trial = _trial(ids, telling_tokens(model))
    difference = _difference(model, trial, "Forked", _step_tokens(trial))
    if difference > _tolerance(model):
        return Choice("Whole", f"shared beginnings change an NLL by {difference:.2g} nats")
    return Choice("Forked")


def go(model: PreTrainedModel, way: Way) -> None:
    """Set `model` up for `way`."""
    if way not in OWN:
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
    trial = _trial(ids, tokens)
    return _difference(model, trial, "Stepped", _step_tokens(trial)) <= _tolerance(model)


def _resumes(model: PreTrainedModel, ids: NDArray[np.integer]) -> bool:
    """Whether steps by the model's own cache give what whole passes by its own attention do.

    They are compared in steps of two sizes, which leave a last one of a single token.
    """
    named = named_tokens(model, FORGETTING)
    step = (min(len(ids), _further_tokens(model)) - 1) // TRIAL_STEPS
    is_shown = step > 0 and not any(NAMED_TOKENS_MAX < one < len(ids) for one in named)
    if not is_shown or rope.stateful_kinds(model):
        return False
    go(model, "Cached")
    trial, sizes = ids[: TRIAL_STEPS * step + 1], (step, TRIAL_STEPS // 2 * step)
    try:
        with running("its own cache does not allow it"):
            differences = [_difference(model, trial, "Cached", one, "Native") for one in sizes]
    except Exception as error:
        if isinstance(error, InvalidInput) or cause_of(error) is Cause.OUT_OF_MEMORY:
            return False  # prompts may still be read whole
        raise
    return max(differences) <= _tolerance(model)


def _further_tokens(model: PreTrainedModel) -> int:
    """Tokens of which the later half shows how `model` goes on from its own cache."""
    named = [one for one in named_tokens(model, FORGETTING) if one <= NAMED_TOKENS_MAX]
    most = max(CHECKED_TOKENS, *named, 0)
    return FURTHER_TOKENS + min(2 * most, NAMED_TOKENS_MAX)


def _difference(
    model: PreTrainedModel,
    trial: NDArray[np.integer],
    way: Way,
    step_tokens: int,
    whole: Way = "Whole",
) -> float:
    """How much the NLL of two passages changes when read by `way` (nats)."""
    half = len(trial) // 2
    turned = np.concatenate((trial[:half], trial[half:][::-1]))
    passages = [Passage(one, (1, len(one))) for one in (trial, turned)]
    shared, apart = (
        np.concatenate([reading.nll for reading in engine.read(passages)])
        for engine in (
            Engine(model, way, step_tokens, watches=False),
            Engine(model, whole, len(trial), watches=False),
        )
    )
    return _differ(model, shared, apart)


def _step_tokens(trial: NDArray[np.integer]) -> int:
    return max(TRIAL_STEP_TOKENS, len(trial) // TRIAL_STEPS)


def _trial(ids: NDArray[np.integer], tokens: int) -> NDArray[np.integer]:
    """The start of `ids`, at most `tokens` of them; repeated if there are too few for a trial."""
    return np.resize(ids, max(min(len(ids), tokens), TRIAL_TOKENS_MIN))


def _differ(model: PreTrainedModel, one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    """How much NLLs differ (nats), to be compared with `_tolerance`."""
    differences = np.abs(one - two)
    return float(np.quantile(differences, 1 if model.dtype in TOLERANCE_NATS else ROUGH_SHARE))


def _tolerance(model: PreTrainedModel) -> float:
    return TOLERANCE_NATS.get(model.dtype, ROUGH_TOLERANCE_NATS)
