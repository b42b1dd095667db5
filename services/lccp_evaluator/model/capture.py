"""transformers' attention interface, implemented so that a pass shares keys and watches heads.

A model loaded with `attn_implementation=NAME` requests its masks and computes its attention here.
A mask is a value, a `CausalMask`: an attention that does not receive one does not know what its
rows may see, and is refused. The current `Observer` handles queries, keys and values: a step of the
engine, or a check of the model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.attention import CausalMask, ScoreForm

NAME = "lccp"
KNOWN_OPTIONS = frozenset(
    {
        "scaling",
        "softcap",
        "s_aux",
        "is_causal",
        "cache",
        "dropout",
        "position_ids",
        "sliding_window",
        "use_cache",
        "output_attentions",
        "output_hidden_states",
        "output_router_logits",
    }
)
"""Options that models pass. From `cache` onward they change nothing here: the window comes with
the mask, and nothing is cached, dropped out or returned."""


@dataclass(frozen=True)
class Call:
    """A call of a layer's attention: `query` [1, H, T, D], `key` [1, K, T, D], `value`.

    `module` is the attention, and `options` are all that it passed.
    """

    module: nn.Module
    query: Tensor
    key: Tensor
    value: Tensor
    form: ScoreForm
    options: dict[str, Any]


class Observer(Protocol):
    """What computes the attention of a forward pass."""

    def attend(self, call: Call) -> Tensor:
        """The next layer's output [1, T, H, Dv]."""
        ...

    def mask(self, mask: CausalMask, asked: dict[str, Any]) -> None:
        """The model requests `mask`; `asked` are the arguments of its request."""
        ...


_observer: ContextVar[Observer] = ContextVar("observer")


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Let `observer` compute the attention of models that run inside."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    **options: Any,
) -> tuple[Tensor, None]:
    """An attention function of transformers; the option `s_aux` [H] are attention sinks."""
    _refuse_unknown(module, options)
    if options.get("is_causal") is False or not isinstance(attention_mask, CausalMask):
        raise InvalidInput(f"{type(module).__name__} does not attend by a causal mask")
    if query.shape[2] != key.shape[2]:
        raise InvalidInput(f"{type(module).__name__} does not attend over its whole input at once")
    scaling = options.get("scaling") or query.shape[-1] ** -0.5
    form = ScoreForm(scaling, attention_mask, options.get("softcap"), options.get("s_aux"))
    return _observer.get().attend(Call(module, query, key, value, form, options)), None


def causal_mask(**asked: Any) -> CausalMask:
    """A mask function of transformers: the mask that a model requests, as a value.

    `support` verifies once that this is the mask that the model means.
    """
    mask = CausalMask(asked.get("local_size"))
    _observer.get().mask(mask, asked)
    return mask


def register() -> None:
    """Make `attn_implementation=NAME` known to transformers."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, causal_mask)


def _refuse_unknown(module: nn.Module, options: dict[str, Any]) -> None:
    unknown = [
        name
        for name, value in options.items()
        if value is not None and value is not False and name not in KNOWN_OPTIONS
    ]
    if unknown or not getattr(module, "is_causal", True):
        what = f"uses {', '.join(sorted(unknown))}" if unknown else "is not causal"
        raise InvalidInput(f"{type(module).__name__} {what}")
