"""transformers' attention interface, implemented so that a pass tells where its heads look.

A model loaded with `attn_implementation=NAME` computes its attention here. Its mask is a value, a
`CausalMask`, made by the mask function registered under the same name: an attention that does not
receive it has not been told what its rows may see, and is refused.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes.attention import CausalMask, ScoreForm, attend, look

NAME = "lccp"
HARMLESS_OPTIONS = frozenset(
    {
        "dropout",
        "position_ids",
        "sliding_window",
        "use_cache",
        "output_attentions",
        "output_hidden_states",
        "output_router_logits",
    }
)
"""What models pass along that changes nothing here: the window comes with the mask, and nothing is
dropped out, cached or returned."""

_sights: ContextVar["Sights"] = ContextVar("sights")


class Sights:
    """Arg-max keys of all heads at `rows` [B, M] of one pass."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows
        self._layers: list[Tensor] = []

    def add(self, query: Tensor, key: Tensor, mask: CausalMask) -> None:
        rows = self._rows[:, None, :, None].expand(-1, query.shape[1], -1, query.shape[-1])
        self._layers.append(look(query.gather(2, rows), key, self._rows, mask))

    def positions(self, layers: int) -> Tensor:
        """[layers, B, H, M]. Raises InvalidInput unless all layers have heads, and equally many."""
        heads = {layer.shape[1] for layer in self._layers}
        if len(self._layers) != layers or len(heads) != 1:
            raise InvalidInput(
                f"{len(self._layers)} of its {layers} layers have attention that can be measured, "
                f"with {sorted(heads)} heads: all layers must have it, and equally many heads"
            )
        return torch.stack(self._layers)


@contextmanager
def watching(rows: Tensor) -> Iterator[Sights]:
    """What the heads of the model that runs inside look at, at `rows` [B, M]."""
    sights = Sights(rows)
    token = _sights.set(sights)
    try:
        yield sights
    finally:
        _sights.reset(token)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    is_causal: bool | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """An attention function of transformers; `s_aux` [H] are attention sinks."""
    _refuse_unknown(module, options)
    if is_causal is False or not isinstance(attention_mask, CausalMask):
        raise InvalidInput(f"{type(module).__name__} does not attend by a causal mask")
    if query.shape[2] != key.shape[2]:
        raise InvalidInput(f"{type(module).__name__} does not attend over its whole input at once")
    form = ScoreForm(scaling or query.shape[-1] ** -0.5, attention_mask, softcap, s_aux)
    _sights.get().add(query, key, form.mask)
    return attend(query, key, value, form), None


def causal_mask(
    q_length: int,
    kv_length: int,
    mask_function: Callable[..., Tensor],
    attention_mask: Tensor | None = None,
    local_size: int | None = None,
    use_vmap: bool = False,
    device: torch.device | str = "cpu",
    **_: Any,
) -> CausalMask:
    """A mask function of transformers: the mask that a model asks for, as a value.

    Raises InvalidInput unless that is a causal mask, or a sliding window of `local_size` keys.
    """
    is_narrow = local_size is not None and local_size < q_length
    mask = CausalMask(local_size if is_narrow else None)
    is_whole = q_length == kv_length and attention_mask is None and not use_vmap
    if not is_whole or not _equals(mask_function, mask, q_length, device):
        raise InvalidInput("its mask is neither causal nor a sliding window")
    return mask


def register() -> None:
    """Make `attn_implementation=NAME` known to transformers."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, causal_mask)


def _equals(
    asked: Callable[..., Tensor], mask: CausalMask, length: int, device: torch.device | str
) -> bool:
    """Whether `asked` allows what `mask` does, at the rows where kinds of masks differ."""
    edge = length if mask.window is None else mask.window
    told = {
        row for row in (0, 1, edge - 1, edge, edge + 1, length // 2, length - 1) if row < length
    }
    rows = torch.tensor(sorted(told), device=device)[None, None, :, None]
    keys = torch.arange(length, device=device)[None, None, None, :]
    first = torch.zeros(1, 1, 1, 1, dtype=torch.long, device=device)
    answer = asked(first, first, rows, keys)
    return torch.equal(
        answer.expand(1, 1, rows.numel(), length)[0, 0], mask.allows(rows, keys)[0, 0]
    )


def _refuse_unknown(module: nn.Module, options: dict[str, Any]) -> None:
    unknown = [
        name
        for name, value in options.items()
        if value is not None and value is not False and name not in HARMLESS_OPTIONS
    ]
    if unknown or not getattr(module, "is_causal", True):
        what = f"uses {', '.join(sorted(unknown))}" if unknown else "is not causal"
        raise InvalidInput(f"{type(module).__name__} {what}")
