"""The loss of each source of a mixture."""

import torch
import torch.distributed as dist

from lccp_trainer.parallel.shard import IGNORED, Shard


class SourceLosses:
    """NLL and predicted tokens by source, summed over micro batches and steps.

    Without targets whose NLL is not finite.
    """

    def __init__(self, sources: int, device: torch.device) -> None:
        self._sums = torch.zeros(2, sources, dtype=torch.float64, device=device)

    @torch.no_grad()
    def add(self, shard: Shard, nll: torch.Tensor) -> None:
        """Count the NLL of each target of a shard: [rows, own tokens]."""
        counted = (shard.targets != IGNORED) & nll.isfinite()
        values = nll.double().where(counted, 0.0), counted.double()
        sources = torch.zeros_like(shard.targets) if shard.sources is None else shard.sources
        for sums, each in zip(self._sums, values, strict=True):
            sums.scatter_add_(0, sources.flatten(), each.flatten())

    def take(self) -> list[float]:
        """Mean NLL of each source over all processes; NaN where nothing was predicted.

        It begins anew. Called on every process.
        """
        sums = self._sums.clone()
        if dist.is_initialized():
            dist.all_reduce(sums)
        self._sums.zero_()
        means: list[float] = (sums[0] / sums[1]).tolist()
        return means
