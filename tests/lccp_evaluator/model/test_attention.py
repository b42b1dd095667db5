"""Attention of the last rows of a sequence equals that of a full matrix of weights."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lccp_evaluator.model import attention
from lccp_evaluator.model.attention import (
    CausalMask,
    Part,
    ScoreForm,
    attend,
    between,
    fused,
    has_kernel,
    together,
)

HEADS, KEY_HEADS, TOKENS, ROWS, SIZE = 4, 2, 40, 16, 8


def random(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


QUERY = random(HEADS, ROWS, SIZE)
KEY, VALUE = random(KEY_HEADS, TOKENS, SIZE, seed=1), random(KEY_HEADS, TOKENS, 6, seed=2)


def parts_of(*sizes: int) -> list[Part]:
    """Keys and values in parts of these sizes."""
    stops = np.cumsum(sizes).tolist()
    return [between([(KEY, VALUE)], a, b)[0] for a, b in zip([0, *stops], stops, strict=False)]


def naively(form: ScoreForm) -> Tensor:
    """The output from one softmax over all keys."""
    key, value = (one.repeat_interleave(HEADS // KEY_HEADS, dim=0) for one in (KEY, VALUE))
    scores = QUERY @ key.transpose(1, 2) * form.scaling
    if form.softcap:
        scores = torch.tanh(scores / form.softcap) * form.softcap
    rows = torch.arange(TOKENS - ROWS, TOKENS)
    seen = torch.arange(TOKENS) <= rows[:, None]
    if form.mask.window:
        seen &= torch.arange(TOKENS) > rows[:, None] - form.mask.window
    scores = scores.masked_fill(~seen, -torch.inf)
    if form.sinks is not None:
        scores = torch.cat((scores, form.sinks[:, None, None].expand(-1, ROWS, 1)), dim=-1)
    return scores.softmax(-1)[..., :TOKENS] @ value


SINKS = torch.tensor([0.5, -1.0, 2.0, 0.0])
FORMS = {
    "plain": ScoreForm(0.3),
    "window": ScoreForm(0.3, CausalMask(5)),
    "window beyond all": ScoreForm(0.3, CausalMask(99)),
    "soft-cap": ScoreForm(0.3, softcap=0.7),
    "sinks": ScoreForm(0.3, sinks=SINKS),
    "window, soft-cap and sinks": ScoreForm(0.3, CausalMask(9), 0.7, SINKS),
}


@pytest.mark.parametrize("sizes", [(TOKENS,), (7, 13, 20)], ids=["whole", "parts"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_it_is_that_of_one_softmax(form: ScoreForm, sizes: tuple[int, ...]) -> None:
    assert torch.allclose(attend(QUERY, parts_of(*sizes), form), naively(form), atol=1e-5)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    form = FORMS["window, soft-cap and sinks"]
    monkeypatch.setattr(attention, "BLOCK_ROWS", 3)

    assert torch.allclose(attend(QUERY, parts_of(TOKENS), form), naively(form), atol=1e-5)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_half_precision_stays_half_precision(form: ScoreForm) -> None:
    halved = [(key.bfloat16(), value.bfloat16()) for key, value in parts_of(TOKENS)]

    output = attend(QUERY.bfloat16(), halved, form)

    assert output.dtype == torch.bfloat16
    assert torch.allclose(output.float(), naively(form), atol=0.05)


@given(st.integers(0, TOKENS), st.integers(0, TOKENS))
def test_tokens_between_two_places_are_those_of_the_whole(one: int, other: int) -> None:
    start, stop = sorted((one, other))
    found = between(parts_of(7, 13, 20), start, stop)

    assert sum(key.shape[1] for key, _ in found) == stop - start
    if found:
        assert torch.equal(together(found)[0], KEY[:, start:stop])
        assert torch.equal(together(found)[1], VALUE[:, start:stop])


def test_a_row_sees_itself_and_its_window() -> None:
    assert [CausalMask(3).first_key(row) for row in (0, 2, 5)] == [0, 0, 3]
    assert CausalMask().first_key(5) == 0
    rows, keys = torch.tensor([[4]]), torch.arange(7)
    assert CausalMask(3).allows(rows, keys)[0].tolist() == [
        False,
        False,
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("value_size", [5, 8, 12], ids=["narrower", "alike", "wider"])
@pytest.mark.parametrize("is_causal", [True, False])
def test_output_and_sum_are_those_of_a_softmax(value_size: int, is_causal: bool) -> None:
    tokens = 9 if is_causal else 13
    query, key, value = random(2, 9, 8), random(2, tokens, 8), random(2, tokens, value_size)
    scores = query @ key.transpose(1, 2) * 0.4
    if is_causal:
        scores.masked_fill_(torch.ones(9, 9).triu(1).bool(), -torch.inf)

    output, log_sum = fused(query, key, value, 0.4, is_causal)

    assert torch.allclose(output, scores.softmax(-1) @ value, atol=1e-5)
    assert torch.allclose(log_sum, scores.logsumexp(-1), atol=1e-5)


class Kernels(TorchDispatchMode):
    """Notes where the keys lie that attention's kernels are given."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[int] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if "attention" in str(func):
            self.keys.append(args[1].data_ptr())
        return func(*args, **kwargs or {})


def test_keys_before_the_rows_are_not_copied() -> None:
    parts = [(key, key) for key, _ in parts_of(7, 13, 20)]

    with Kernels() as kernels:
        attend(QUERY, parts, FORMS["plain"])

    assert {key.data_ptr() for key, _ in parts} <= set(kernels.keys)


def test_half_precision_gives_float32() -> None:
    query = random(2, 9, 8).bfloat16()

    assert {one.dtype for one in fused(query, query, query, 0.4, True)} == {torch.float32}


def test_whole_numbers_have_no_kernel() -> None:
    assert has_kernel(torch.zeros(1))
    assert not has_kernel(torch.zeros(1, dtype=torch.int64))
    assert not has_kernel(torch.zeros(1, device="meta"))
