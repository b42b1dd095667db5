from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from lccp_trainer.objectives.head import LossHead
from lccp_trainer.parallel.shard import IGNORED

HIDDEN, VOCABULARY, LENGTH = 8, 50, 33


def a_head(bias: bool, chunk_logits: int) -> LossHead:
    torch.manual_seed(0)
    return LossHead(torch.nn.Linear(HIDDEN, VOCABULARY, bias=bias), chunk_logits)


def some_input() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(2, LENGTH, HIDDEN, generator=generator)
    targets = torch.randint(0, VOCABULARY, (2, LENGTH), generator=generator)
    targets[:, ::5] = IGNORED
    return hidden.requires_grad_(), targets


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tokens_at_once", [1, 7, 1_000])
def test_loss_and_gradients_are_those_of_whole_logits(bias: bool, tokens_at_once: int) -> None:
    head = a_head(bias, tokens_at_once * VOCABULARY)
    hidden, targets = some_input()
    wanted: list[torch.Tensor] = [hidden, *head.parameters()]
    logits = head(hidden).flatten(0, 1)
    whole = cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="sum")
    expected = torch.autograd.grad(0.3 * whole, wanted)
    nll, each = head(hidden, targets)
    found = torch.autograd.grad(0.3 * nll, wanted)
    assert torch.allclose(nll, whole, rtol=1e-6)
    of_each = cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="none")
    assert torch.allclose(each.flatten(), of_each, atol=1e-5)
    assert not each.requires_grad
    for got, right in zip(found, expected, strict=True):
        assert torch.allclose(got, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_a_head_that_is_not_trained_gets_no_gradient_and_passes_the_same_on(bias: bool) -> None:
    hidden, targets = some_input()
    gradients = []
    for trained in (True, False):
        head = a_head(bias, 7 * VOCABULARY).requires_grad_(trained)
        gradients.append(
            torch.autograd.grad(head(hidden, targets)[0], hidden, retain_graph=True)[0]
        )
        head(hidden, targets)[0].backward()
        assert all((p.grad is not None) == trained for p in head.parameters())
    assert torch.equal(*gradients)


def test_in_bfloat16_the_loss_is_summed_in_float32() -> None:
    head = a_head(False, 7 * VOCABULARY).bfloat16()
    hidden, targets = some_input()
    half = hidden.detach().bfloat16().requires_grad_()
    nll, _ = head(half, targets)
    nll.backward()
    whole = head(half).float().flatten(0, 1)
    expected = cross_entropy(whole, targets.flatten(), ignore_index=IGNORED, reduction="sum")
    assert nll.dtype is torch.float32
    assert nll.item() == pytest.approx(expected.item(), rel=1e-6)
    assert head.weight.grad is not None
    assert head.weight.grad.dtype is torch.bfloat16


def test_tokens_that_count_for_nothing_get_no_gradient() -> None:
    head, (hidden, targets) = a_head(True, 7 * VOCABULARY), some_input()
    (gradient,) = torch.autograd.grad(head(hidden, targets)[0], hidden)
    assert torch.equal(gradient[:, ::5], torch.zeros_like(gradient[:, ::5]))
    assert gradient[:, 1].abs().min() > 0


@pytest.mark.parametrize("bias", [False, True])
def test_where_gradients_are_off_the_loss_is_the_same_and_none_is_made(bias: bool) -> None:
    head, (hidden, targets) = a_head(bias, 7 * VOCABULARY), some_input()
    trained = head(hidden, targets)
    with torch.no_grad(), MatrixProducts() as products:
        nll, each = head(hidden, targets)
    assert (nll.item(), each.tolist()) == (trained[0].item(), trained[1].tolist())
    assert products.count == -(-2 * LENGTH // 7)


class MatrixProducts(TorchDispatchMode):
    """Counts the products of matrices."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm)
        return func(*args, **(kwargs or {}))


class LargestTensor(TorchDispatchMode):
    """Remembers the most elements that any operation gave."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, (tuple, list)) else [found]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return found


def test_all_logits_never_exist_neither_forward_nor_backward() -> None:
    head, (hidden, targets) = a_head(False, 7 * VOCABULARY), some_input()
    with LargestTensor() as largest:
        head(hidden, targets)[0].backward()
    assert largest.elements == max(2 * LENGTH * HIDDEN, HIDDEN * VOCABULARY)
    assert largest.elements < 2 * LENGTH * VOCABULARY / 4
    with LargestTensor() as naive:
        head(hidden)
    assert naive.elements == 2 * LENGTH * VOCABULARY
