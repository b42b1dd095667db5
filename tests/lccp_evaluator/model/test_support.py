"""Our attention and masks are checked against the model's own."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import a_model
from torch import Tensor, nn

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.attention import CausalMask
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.model.support import (
    check_attention,
    check_mask,
    own_attention,
    telling_tokens,
)

IDS = np.arange(3, 90)


@pytest.mark.parametrize("family", ["llama", "mistral", "gpt_oss", "afmoe"])
def test_every_layer_is_checked(family: str) -> None:
    model = a_model(family, sliding_window=24)

    found = check_attention(model, IDS, 100)

    assert len(found.modules) == 3
    assert found.heads == [4, 4, 4]


def test_attention_that_does_more_than_is_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = a_model("llama")
    module = sys.modules[type(model).__module__]
    own = module.eager_attention_forward  # type: ignore[attr-defined]

    def scaled(*given: Any, **options: Any) -> Any:
        output, weights = own(*given, **options)
        return output * 1.01, weights

    monkeypatch.setattr(module, "eager_attention_forward", scaled)
    with pytest.raises(InvalidInput, match="LlamaAttention does more than is known here"):
        check_attention(model, IDS, 100)


def test_attention_without_an_eager_form_can_not_be_checked() -> None:
    with pytest.raises(InvalidInput, match="Linear has no eager attention"):
        own_attention(nn.Linear(1, 1))


def test_weights_that_overflow_are_no_attention_problem() -> None:
    model = a_model("llama")
    with torch.no_grad():
        model.model.embed_tokens.weight[5] = torch.nan

    with pytest.raises(NotFiniteModel):
        check_attention(model, IDS, 100)


def asked(length: int, mask_function: Callable[..., Tensor], **more: Any) -> dict[str, Any]:
    sizes = {"q_length": length, "kv_length": length, "attention_mask": None}
    return sizes | {"mask_function": mask_function} | more


def causal(_batch: Tensor, _head: Tensor, row: Tensor, key: Tensor) -> Tensor:
    return key <= row


def window(_batch: Tensor, _head: Tensor, row: Tensor, key: Tensor) -> Tensor:
    return (key <= row) & (key > row - 5)


def chunked(_batch: Tensor, _head: Tensor, row: Tensor, key: Tensor) -> Tensor:
    return (key <= row) & (key // 5 == row // 5)


def test_causal_masks_and_windows_are_known() -> None:
    check_mask(CausalMask(), asked(40, causal))
    check_mask(CausalMask(5), asked(40, window))
    check_mask(CausalMask(5), asked(5, causal))


@pytest.mark.parametrize(
    ("mask", "given"),
    [
        (CausalMask(), asked(40, window)),
        (CausalMask(5), asked(40, causal)),
        (CausalMask(6), asked(40, window)),
        (CausalMask(5), asked(40, chunked)),
        (CausalMask(), asked(40, causal, kv_length=41)),
        (CausalMask(), asked(40, causal, attention_mask=torch.ones(1, 40))),
        (CausalMask(), asked(40, causal, use_vmap=True)),
    ],
    ids=["window", "no window", "another window", "chunks", "a cache", "padding", "vmap"],
)
def test_every_other_mask_is_refused(mask: CausalMask, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="neither causal nor a sliding window"):
        check_mask(mask, given)


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({}, 48),
        ({"sliding_window": 1_024}, 48),
        ({"attention_chunk_size": 100}, 148),
        ({"compress_rates": {"some": 4, "other": 128}}, 176),
        ({"index_topk": 2_048, "sparse_config": {"block_size": 64}}, 2_096),
        ({"chunk_size": 65_536}, 48),
    ],
)
def test_what_a_configuration_names_decides_how_many_tokens_are_tried(
    settings: dict[str, Any], tokens: int
) -> None:
    assert telling_tokens(a_model("llama", **settings)) == tokens
