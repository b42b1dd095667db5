"""Losses by source of a mixture and by band of positions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from lccp.api.objects.losses import PositionShare
from lccp_trainer.objectives.meters import Meter
from lccp_trainer.parallel.shard import IGNORED, Shard

DIGITS = 4
"""Decimal digits of a share."""


@dataclass(frozen=True, eq=False)
class Losses:
    """NLL and predicted tokens, summed over all processes: [sources, bands], on the CPU."""

    edges: Sequence[int]
    """Of the bands, tokens: one more than there are bands."""
    nll: torch.Tensor
    predicted: torch.Tensor

    @property
    def by_source(self) -> list[float]:
        """Mean loss of each source, nats; NaN where nothing was predicted."""
        means: list[float] = (self.nll.sum(1) / self.predicted.sum(1)).tolist()
        return means

    @property
    def shares(self) -> tuple[PositionShare, ...]:
        """The distribution of the predicted tokens over the bands."""
        by_band = self.predicted.sum(0)
        shares = (by_band / by_band.sum().clamp(min=1)).tolist()
        return tuple(
            PositionShare(start=start, end=end, share=round(share, DIGITS))
            for (start, end), share in zip(pairwise(self.edges), shares, strict=True)
        )


class LossTable(Meter):
    """Adds up the loss of each source and band of positions, over micro batches and steps.

    A token counts in the band of its own position in its document. Targets whose NLL is not finite
    are left out.
    """

    def __init__(self, sources: int, edges: Sequence[int], device: torch.device) -> None:
        """Each band is between two `edges`; the first edge is 0, the last a row's tokens."""
        self._edges = edges
        self._inner = torch.tensor(edges[1:-1], dtype=torch.long, device=device)
        self._shape = (2, sources, len(edges) - 1)
        super().__init__(math.prod(self._shape), device)

    @torch.no_grad()
    def add(self, shard: Shard, nll: torch.Tensor) -> None:
        """Count the NLL of each target of a shard: [rows, own tokens]."""
        counted = (shard.targets != IGNORED) & nll.isfinite()
        bands = torch.bucketize(shard.positions + 1, self._inner, right=True)
        sources = torch.zeros_like(shard.targets) if shard.sources is None else shard.sources
        cells = (sources * self._shape[2] + bands).flatten()
        values = nll.double().where(counted, 0.0), counted.double()
        for sums, each in zip(self._own.view(2, -1), values, strict=True):
            sums.scatter_add_(0, cells, each.flatten())

    def take(self) -> Losses:
        """What all processes exchanged since the last call."""
        nll, predicted = self._taken().view(self._shape)
        return Losses(self._edges, nll, predicted)
