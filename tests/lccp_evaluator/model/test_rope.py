"""Rotations that depend on the length of the input."""

from typing import Any

import pytest
import torch
from tiny_models import a_model
from torch import nn

from lccp_evaluator.model.rope import forget_lengths, stateful_kinds


def scaled(kind: str, **more: Any) -> Any:
    scaling = {"rope_type": kind, "rope_theta": 10_000.0, "factor": 4.0} | more
    return a_model("llama", rope_parameters=scaling, max_position_embeddings=32)


@pytest.mark.parametrize(
    ("kind", "kinds"), [("default", []), ("linear", []), ("dynamic", ["dynamic"])]
)
def test_kinds_that_depend_on_the_length_are_told(kind: str, kinds: list[str]) -> None:
    assert stateful_kinds(scaled(kind)) == kinds


def test_kinds_may_differ_by_type_of_layer() -> None:
    module = nn.Linear(1, 1)
    module.rope_type = {"full_attention": "longrope", "sliding_attention": "default"}  # type: ignore[assignment]

    assert stateful_kinds(module) == ["longrope"]


def test_what_a_long_input_did_is_undone() -> None:
    model = scaled("dynamic")
    rotation = model.model.rotary_emb
    before = rotation.inv_freq.clone()
    with torch.no_grad():
        rotation(torch.zeros(1, 100, 8), torch.arange(100)[None])
    assert not torch.equal(rotation.inv_freq, before)

    forget_lengths(model)

    assert torch.equal(rotation.inv_freq, before)
    assert rotation.max_seq_len_cached == 32
