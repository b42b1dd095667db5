"""Rotations that depend on the length of the input."""

from typing import Any

import pytest
import torch
from tiny_models import a_model
from torch import nn

from lccp_evaluator.model.rope import (
    at_length,
    forget_lengths,
    original_tokens,
    stateful_kinds,
)


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
    assert original_tokens(module) is None


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


LONG = {
    "short_factor": [1.0] * 4,
    "long_factor": [4.0] * 4,
    "original_max_position_embeddings": 16,
}


@pytest.mark.parametrize(("kind", "more"), [("dynamic", {}), ("longrope", LONG)])
def test_the_start_of_an_input_is_rotated_as_in_all_of_it(kind: str, more: dict[str, Any]) -> None:
    model = scaled(kind, **more)
    rotation = model.model.rotary_emb
    some, places = torch.zeros(1, 100, 8), torch.arange(100)[None]
    whole = rotation(some, places)

    with at_length(model, 100):
        start = rotation(some[:, :10], places[:, :10])

    for one, all_ in zip(start, whole, strict=True):
        assert torch.equal(one, all_[:, :10])
    assert rotation.rope_type == kind
    assert original_tokens(model) == (16 if more else 32)
    assert not torch.equal(rotation(some[:, :10], places[:, :10])[0], start[0])
