"""transformers' requests for attention and masks go to the current observer."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.attention import CausalMask
from lccp_evaluator.model.capture import Call, attention, causal_mask, observing


class Noted:
    """Records its requests, and returns zeros."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.masks: list[CausalMask] = []

    def attend(self, call: Call) -> Tensor:
        self.calls.append(call)
        return torch.zeros(1, 3, 2, 4)

    def mask(self, mask: CausalMask, asked: dict[str, Any]) -> None:
        self.masks.append(mask)


QUERY, KEY = torch.zeros(1, 2, 3, 4), torch.zeros(1, 1, 3, 4)


CAUSAL = CausalMask()


def called(mask: Any = CAUSAL, key: Tensor = KEY, **options: Any) -> Call:
    observer = Noted()
    with observing(observer):
        output, weights = attention(nn.Linear(1, 1), QUERY, key, key, mask, **options)
    assert output.shape == (1, 3, 2, 4)
    assert weights is None
    return observer.calls[0]


def test_a_call_has_the_form_of_its_scores() -> None:
    sinks = torch.ones(2)
    call = called(CausalMask(5), scaling=0.3, softcap=20.0, s_aux=sinks, dropout=0.0)

    assert (call.form.scaling, call.form.softcap, call.form.mask) == (0.3, 20.0, CausalMask(5))
    assert call.form.sinks is sinks
    assert called().form.scaling == 0.5


def test_a_mask_is_a_value_with_its_window() -> None:
    observer = Noted()
    with observing(observer):
        assert causal_mask(local_size=7) == CausalMask(7)
        assert causal_mask() == CausalMask()

    assert observer.masks == [CausalMask(7), CausalMask()]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"alibi": torch.ones(1), "bias": 2}, "Linear uses alibi, bias"),
        ({"mask": None}, "does not attend by a causal mask"),
        ({"is_causal": False}, "does not attend by a causal mask"),
        ({"key": torch.zeros(1, 1, 5, 4)}, "does not attend over its whole input at once"),
    ],
    ids=["unknown options", "no mask", "not causal", "more keys than rows"],
)
def test_what_is_not_known_is_refused(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"{sentence}$"):
        called(**how)


def test_options_that_are_off_are_not_unknown() -> None:
    assert called(alibi=None, bias=False).options == {"alibi": None, "bias": False}


def test_an_observer_is_current_within_its_block_alone() -> None:
    outer, inner = Noted(), Noted()
    with observing(outer):
        with observing(inner):
            causal_mask()
        causal_mask(local_size=3)

    assert (inner.masks, outer.masks) == ([CausalMask()], [CausalMask(3)])
