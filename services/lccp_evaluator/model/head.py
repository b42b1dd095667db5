"""The LM head, a block of rows at a time: the logits of a whole document never exist."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


def logits_in_blocks(
    model: PreTrainedModel, rows: Tensor, at_once: int, forward: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """Logits [n, V] at blocks of at most `at_once` of `rows` [R], in order.

    `forward` runs `model` and gives the logits at some rows. The layers below the head run once:
    for further blocks they answer what they answered first. So a model does with its logits (scales
    them, caps them) what it always does.
    """
    first, *others = torch.split(rows, at_once)
    with _kept(model.base_model) as outputs:
        yield forward(first)
    for block in others:
        with _answering(model.base_model, outputs[-1]):
            yield forward(block)


@contextmanager
def _kept(body: nn.Module) -> Iterator[list[Any]]:
    """The outputs of `body` while inside."""
    outputs: list[Any] = []
    hook = body.register_forward_hook(lambda _module, _given, output: outputs.append(output))
    try:
        yield outputs
    finally:
        hook.remove()


@contextmanager
def _answering(body: nn.Module, output: Any) -> Iterator[None]:
    """`body` gives `output` while inside, whatever it is asked."""
    body.forward = lambda *_args, **_options: output
    try:
        yield
    finally:
        del body.forward
