"""How many tokens of a passage each expert gets, by position: assembled from steps.

Passages share beginnings, so the tokens of one are spread over pieces that were computed for
others. Attention is causal: a router's choice for a token holds for all passages that begin alike.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import Piece
from lccp_evaluator.passes.tree import common_length

Choices = list[NDArray[np.int64]]
"""Chosen experts [tokens, k] by layer."""


class Loads:
    """The routers' choices for the tokens of `passages` so far, among `experts` experts."""

    def __init__(self, passages: Sequence[Passage], experts: int) -> None:
        self._passages = passages
        self._experts = experts
        self._computed: list[tuple[Piece, Choices]] = []

    def add(self, pieces: Sequence[Piece], chosen: Sequence[Tensor]) -> None:
        """Add a step of `pieces`; `chosen` [T, k] by layer."""
        layers = [layer.cpu().numpy() for layer in chosen]
        self._computed += [(piece, [layer[piece.rows] for layer in layers]) for piece in pieces]

    def of(self, number: int) -> NDArray[np.int64]:
        """Choices of passage `number` [layers, bands, experts], in `Passage.bands` equal bands."""
        passage = self._passages[number]
        length, bands = len(passage.ids), passage.bands
        cell = np.arange(length) * bands // length * self._experts
        counts: list[NDArray[np.int64]] = []
        for places, rows, choices in self._parts(number):
            found = [
                np.bincount(
                    (cell[places, None] + layer[rows]).ravel(), minlength=bands * self._experts
                )
                for layer in choices
            ]
            counts.append(np.stack(found).reshape(len(choices), bands, self._experts))
        load: NDArray[np.int64] = np.sum(counts, axis=0)
        return load

    def _parts(self, number: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp], Choices]]:
        """Places in the passage, and theirs in the computed pieces; its own pieces come first."""
        ids = self._passages[number].ids
        missing = np.ones(len(ids), dtype=np.bool_)
        parts = []
        for piece, choices in sorted(self._computed, key=lambda one: one[0].passage != number):
            other = self._passages[piece.passage].ids[: piece.stop]
            stop = piece.stop if piece.passage == number else common_length(other, ids)
            places = np.flatnonzero(missing[piece.start : stop]) + piece.start
            missing[places] = False
            parts.append((places, places - piece.start, choices))
        assert not missing.any()
        return parts
