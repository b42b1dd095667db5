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
from lccp_evaluator.model.support import check_attention
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage

TRIAL_TOKENS = 48
TRIAL_STEP_TOKENS = 20
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
        InvalidInput: heads are to be watched (`watches`), but cannot be.
        NotFiniteModel: there are NaN or infinite values.
    """
    try:
        _check(model, ids, longest)
    except NotFiniteModel:
        raise
    except InvalidInput as error:
        if watches:
            raise InvalidInput(
                f"model type {model.config.model_type!r} cannot be evaluated: {error}; its heads "
                "can be left out (retrievalHeads: {enabled: false})"
            ) from error
        return Choice("Native", str(error))
    kinds = rope.stateful_kinds(model)
    if kinds:
        return Choice("Whole", f"its RoPE scaling ({', '.join(kinds)}) depends on the length")
    difference = _difference(model, ids)
    if difference > TOLERANCE_NATS.get(model.dtype, ROUGH_TOLERANCE_NATS):
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
        engine = Engine(model, "Whole", TRIAL_TOKENS, watches=False)
        raise finite.named(model, lambda: engine.read([passage])) from None


def _difference(model: PreTrainedModel, ids: NDArray[np.integer]) -> float:
    """How much the NLL of two passages changes when they share their beginning (nats)."""
    start = np.asarray(ids[:TRIAL_TOKENS])
    half = len(start) // 2
    turned = np.concatenate((start[:half], start[half:][::-1]))
    passages = [Passage(one, (1, len(one))) for one in (start, turned)]
    shared, apart = (
        np.concatenate([reading.nll for reading in engine.read(passages)])
        for engine in (
            Engine(model, "Forked", TRIAL_STEP_TOKENS, watches=False),
            Engine(model, "Whole", TRIAL_TOKENS, watches=False),
        )
    )
    differences = np.abs(shared - apart)
    exact = model.dtype in TOLERANCE_NATS
    return float(differences.max() if exact else np.median(differences))
