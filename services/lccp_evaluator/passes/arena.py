"""Keys and values of all layers, by slot."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lccp_evaluator.model.attention import Part
from lccp_evaluator.passes.passage import Span


class Arena:
    """Room for keys and values of `slots` tokens in every layer; layers are allocated on use."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._layers: list[Part] = []

    def put(self, layer: int, slot: int, key: Tensor, value: Tensor) -> None:
        """Write `key` [K, n, D] and `value` [K, n, Dv] to the slots from `slot` onward."""
        if layer == len(self._layers):
            self._layers.append((self._room(key), self._room(value)))
        for room, given in zip(self._layers[layer], (key, value), strict=True):
            room[:, slot : slot + given.shape[1]] = given

    def copy(self, spans: Sequence[Span], slot: int) -> None:
        """Copy the slots of `spans` to those from `slot` onward, which are not among them."""
        for key, value in self._layers:
            at = slot
            for start, stop in spans:
                for room in (key, value):
                    room[:, at : at + stop - start] = room[:, start:stop]
                at += stop - start

    def parts(self, layer: int, spans: Sequence[Span]) -> list[Part]:
        """The contents of the slots of `spans`, as views."""
        key, value = self._layers[layer]
        return [(key[:, start:stop], value[:, start:stop]) for start, stop in spans]

    def _room(self, like: Tensor) -> Tensor:
        return torch.empty(
            like.shape[0], self.slots, like.shape[2], dtype=like.dtype, device=like.device
        )
