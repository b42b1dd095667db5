"""What a model's code allows: tested on the model itself before measuring.

Two functions of a model are replaced while it is measured: the one that computes attention from
queries, keys and values, and the one that creates its masks. All else is its own code. So only
these two are checked against the model's own:

- attention: layer by layer, on the same queries, keys and values, in float32 whatever the model's
  dtype, against the eager attention of the model's module. So rounding cannot cause a correct model
  to be refused, nor hide a wrong one;
- masks: at the longest length to be measured, before the first layer runs.

Some models compress their past, or choose from it, only beyond a length that their configuration
names. So layers also run once on that many tokens and a few more: whatever then attends to anything
but the tokens of the input is refused.

Passages can share their beginnings if, in addition, every token is computed only from its own
hidden state and the output of attention. That is tested too: pieces of two short passages, packed,
must give the same readings as the passages alone.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.masking_utils import eager_mask

from lccp.api.causes import Cause, cause_of
from lccp.contract.errors import InvalidInput, LccpError, sentence_of
from lccp_evaluator.model import capture
from lccp_evaluator.model.attention import CausalMask, attend
from lccp_evaluator.model.capture import Call
from lccp_evaluator.model.finite import check_finite

CHECKED_TOKENS = 64
FURTHER_TOKENS = 48
"""Tokens beyond a length from which a model computes otherwise, so that it shows."""
NAMED_TOKENS_MAX = 4_096
"""Longer ones that a configuration names are not tried: the check is to cost less than a prompt."""
NAMED = re.compile(r"compress|chunk|stride|block_size|index_topk")
"""Names in configurations of lengths from which a model computes otherwise. Windows are not among
them: they come with the masks."""
ATTENTION_TOLERANCE = 1e-3
"""Relative to the norm of a layer's attention output, in float32."""


class _MasksBuilt(Exception):
    """The masks were requested; the layers need not run."""


@dataclass
class AttentionCheck:
    """An observer that checks every layer's attention against the model's own eager one."""

    modules: list[nn.Module] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    _eager_masks: dict[CausalMask, Tensor] = field(default_factory=dict)

    def mask(self, mask: CausalMask, asked: dict[str, Any]) -> None:
        """Refuse what is neither causal nor a window; keep the mask that eager attention needs."""
        check_mask(mask, asked)
        self._eager_masks[mask] = eager_mask(**asked | {"dtype": torch.float32})

    def attend(self, call: Call) -> Tensor:
        """Our output, if it equals the model's own."""
        name = type(call.module).__name__
        query, key, value = (one.float() for one in (call.query, call.key, call.value))
        check_finite(query, key, value)
        ours = attend(query[0], [(key[0], value[0])], call.form).transpose(0, 1)[None]
        mask = self._eager_masks[call.form.mask].to(query.device)
        theirs = own_attention(call.module)(call.module, query, key, value, mask, **call.options)[0]
        difference = (ours - theirs).norm() / theirs.norm().clamp(min=1e-30)
        if not difference <= ATTENTION_TOLERANCE:
            raise InvalidInput(
                f"{name} does more than is known here: its output differs by {difference:.2g} of "
                "its size from what its own eager attention gives"
            )
        self.modules.append(call.module)
        self.heads.append(query.shape[1])
        return ours.to(call.query.dtype).contiguous()  # some models view it in another shape


class WholeInputCheck:
    """An observer that checks that attention is over the tokens of the input (see `capture`)."""

    def mask(self, mask: CausalMask, asked: dict[str, Any]) -> None:
        """Nothing to do: masks are checked at the longest length."""

    def attend(self, call: Call) -> Tensor:
        """Our output."""
        output = attend(call.query[0], [(call.key[0], call.value[0])], call.form)
        return output.transpose(0, 1)[None].contiguous()


class MaskCheck:
    """An observer that only checks masks."""

    def mask(self, mask: CausalMask, asked: dict[str, Any]) -> None:
        """Refuse what is neither causal nor a window."""
        check_mask(mask, asked)

    def attend(self, call: Call) -> Tensor:
        """Stop here: masks are created before attention."""
        raise _MasksBuilt


def own_attention(module: nn.Module) -> Callable[..., tuple[Tensor, Any]]:
    """The eager attention in the module's own file."""
    found = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
    if found is None:
        raise InvalidInput(f"{type(module).__name__} has no eager attention to be checked against")
    own: Callable[..., tuple[Tensor, Any]] = found
    return own


def check_mask(mask: CausalMask, asked: dict[str, Any]) -> None:
    """Raise InvalidInput unless the mask that a model requests is `mask`."""
    is_whole = asked["q_length"] == asked["kv_length"] and asked.get("attention_mask") is None
    if not is_whole or asked.get("use_vmap") or not _equals(asked, mask):
        raise InvalidInput("its mask is neither causal nor a sliding window")


def _equals(asked: dict[str, Any], mask: CausalMask) -> bool:
    """Whether it allows what `mask` does, at the rows where kinds of masks differ."""
    length, device = asked["q_length"], asked.get("device", "cpu")
    edge = mask.window or length
    told = {0, 1, edge - 1, edge, edge + 1, length // 2, length - 1}
    rows = torch.tensor(sorted(row for row in told if row < length), device=device)
    keys = torch.arange(length, device=device)
    none = torch.zeros(1, 1, 1, 1, dtype=torch.long, device=device)
    answer = asked["mask_function"](none, none, rows[None, None, :, None], keys[None, None, None])
    return torch.equal(
        answer.expand(1, 1, len(rows), length)[0, 0], mask.allows(rows[:, None], keys)
    )


def check_attention(
    model: PreTrainedModel, ids: NDArray[np.integer], longest: int
) -> AttentionCheck:
    """Check the attention of all layers on the start of `ids`, and masks of `longest` tokens,
    against the model's own.

    Raises:
        InvalidInput: they differ, or the model does not request them in transformers' ways.
        NotFiniteModel: there are NaN or infinite values.
    """
    check = AttentionCheck()
    start = np.asarray(ids[:CHECKED_TOKENS], dtype=np.int64)
    _forward(model, start, check)
    layers = model.config.get_text_config().num_hidden_layers
    found = len(check.modules)
    if found > layers:
        raise InvalidInput(f"its {layers} layers compute attention {found} times")
    if found < layers:
        raise InvalidInput(f"{found} of its {layers} layers have attention that can be measured")
    layer = _layer_of(model, check.modules[0])
    with _stopping_at(layer), suppress(_MasksBuilt):
        _forward(model, np.full(longest, start[0]), MaskCheck())
    telling = np.asarray(ids[: telling_tokens(model)], dtype=np.int64)
    if len(telling) > CHECKED_TOKENS:
        _forward(model, telling, WholeInputCheck())
    return check


def telling_tokens(model: PreTrainedModel) -> int:
    """Tokens from which on it shows how `model` computes long inputs, by its configuration."""
    named = named_tokens(model, NAMED)
    return FURTHER_TOKENS + max((one for one in named if one <= NAMED_TOKENS_MAX), default=0)


def named_tokens(model: PreTrainedModel, names: re.Pattern[str]) -> list[int]:
    """The integers that the configuration of `model` gives by such names."""
    config = model.config.get_text_config(decoder=True).to_dict()
    named = [value for name, value in config.items() if names.search(name)]
    return [number for value in named for number in _integers(value)]


def _integers(value: object) -> Iterator[int]:
    """The integers in a value of a configuration."""
    if isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _integers(one)
    elif isinstance(value, int):
        yield value


def _forward(model: PreTrainedModel, ids: NDArray[np.integer], observer: capture.Observer) -> None:
    tokens = torch.tensor(ids, device=model.device)[None]
    positions, first = torch.arange(len(ids), device=model.device), torch.zeros(1, dtype=torch.long)
    with torch.no_grad(), capture.observing(observer), running("its code does not allow it"):
        model(tokens, position_ids=positions[None], use_cache=False, logits_to_keep=first)


@contextmanager
def running(what: str) -> Iterator[None]:
    """Raise InvalidInput, `what` and the reason, for whatever a model's own code raises.

    Lack of memory is no fault of it.
    """
    try:
        yield
    except (LccpError, _MasksBuilt):
        raise
    except Exception as error:
        if cause_of(error) is Cause.OUT_OF_MEMORY:
            raise
        told = sentence_of(error).split("\n")[0]
        is_of_mask = CausalMask.__name__ in told
        what = "its mask is not transformers' own" if is_of_mask else what
        raise InvalidInput(f"{what} ({told})") from error


def _layer_of(model: nn.Module, inner: nn.Module) -> nn.Module:
    """The decoder layer that holds `inner`: its outermost ancestor in a numbered list."""
    name = next(name for name, module in model.named_modules() if module is inner)
    parts = name.split(".")
    depth = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts) - 1)
    return model.get_submodule(".".join(parts[: depth + 1]))


@contextmanager
def _stopping_at(layer: nn.Module) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise _MasksBuilt

    hook = layer.register_forward_pre_hook(stop)
    try:
        yield
    finally:
        hook.remove()
