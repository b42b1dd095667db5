"""The LM head, one block of rows at a time: never the logits of a whole document at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lccp.contract.errors import InvalidInput


def logits_in_blocks(
    body: nn.Module, rows: Tensor, at_once: int, forward: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """Logits [n, V] at blocks of at most `at_once` of `rows` [R], in order.

    `forward` runs a model and returns its logits at some rows. `body`, the part below the head,
    runs once: for further blocks it returns its first result. So a model still scales or caps its
    logits as usual.
    """
    first, *others = torch.split(rows, at_once)
    with _kept(body) as outputs:
        yield forward(first)
    for block in others:
        with _answering(body, outputs[-1]):
            yield forward(block)


def body_of(model: PreTrainedModel) -> nn.Module:
    """The part below the head: named by `base_model_prefix`, or all that is not the head.

    Raises InvalidInput if neither is one module.
    """
    if model.base_model is not model:
        return model.base_model
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    rest = [child for child in model.children() if child is not head]
    if head is None or len(rest) != 1:
        raise InvalidInput(
            f"model type {model.config.model_type!r} cannot be evaluated: it does not name the "
            "part below its head (base_model_prefix)"
        )
    return rest[0]


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
    """`body` returns `output` while inside, whatever its input."""
    body.forward = lambda *_args, **_options: output
    try:
        yield
    finally:
        del body.forward
