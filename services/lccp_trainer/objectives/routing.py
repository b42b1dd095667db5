"""The routers of a mixture of experts: their load, and the loss that balances it.

The loss is that of Fedus et al. (Switch Transformers, arXiv 2101.03961, section 2.2). It is
computed for every sequence and layer, as in DeepSeek-V3 (arXiv 2412.19437, section 2.1.2), and so
depends on no layout: experts x sum over experts of the share of tokens that chose it x its mean
probability. As in transformers, the shares add up to the number of experts that a token passes, so
coefficients mean the same.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from lccp_trainer.objectives.meters import Meter
from lccp_trainer.parallel import experts
from lccp_trainer.parallel.shard import Shard

BANDS = 2
"""Positions in the first and in the second half of the context."""


@dataclass(frozen=True, eq=False)
class Routing:
    """Routing statistics by layer and band; on the CPU, over all processes."""

    load: torch.Tensor
    """[layers, bands, experts]: share of the band's tokens that chose an expert, k in all."""
    entropy: torch.Tensor
    """[layers, bands]: mean entropy of a token's probabilities, nats."""

    @property
    def busiest(self) -> torch.Tensor:
        """[layers, bands]: share of the band's tokens that chose the busiest expert, 0 to 1."""
        return self.load.amax(2)


class Tally(Meter):
    """Counts of routed tokens, summed over micro batches."""

    def __init__(self, layers: int, number_of_experts: int, device: torch.device) -> None:
        self._shapes = (layers, BANDS, number_of_experts), (layers, BANDS), (BANDS,)
        super().__init__(sum(map(math.prod, self._shapes)), device)
        self._load, self._entropy, self._tokens = self._parts(self._own)

    @torch.no_grad()
    def add_tokens(self, bands: torch.Tensor) -> None:
        """Count tokens by their band: [tokens]."""
        self._tokens.scatter_add_(0, bands, torch.ones_like(bands, dtype=self._tokens.dtype))

    @torch.no_grad()
    def add(self, layer: int, bands: torch.Tensor, chosen: torch.Tensor, p: torch.Tensor) -> None:
        """Count a layer's choices: bands [tokens], chosen [tokens, k], p [tokens, experts]."""
        self._load[layer] += counted(bands, chosen, BANDS, p.shape[1])
        self._entropy[layer].scatter_add_(0, bands, torch.special.entr(p).sum(1).double())

    def take(self) -> Routing:
        """What all processes exchanged since the last call."""
        load, entropy, tokens = self._parts(self._taken())
        tokens = tokens.clamp(min=1)
        return Routing((load / tokens[:, None]).float(), (entropy / tokens).float())

    def _parts(self, sums: torch.Tensor) -> list[torch.Tensor]:
        sizes = [math.prod(shape) for shape in self._shapes]
        parts = torch.split(sums, sizes)
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]


class Routers:
    """The routers of a model, watched by hooks."""

    def __init__(self, model: Any, context: int, balances: bool) -> None:
        """Called once the engine is built: expert parallelism inserts its own routers.

        Args:
            context: tokens of a row.
            balances: whether the balancing loss will be requested.
        """
        found = list(_routers(model))
        family = experts.FAMILIES[model.config.model_type]
        self._context, self._balances = context, balances
        self._sigmoid = family.scores == "sigmoid"
        self._experts = experts.of_layers(getattr(model.config, family.experts))
        self._shard: Shard | None = None
        self._logits: torch.Tensor | None = None
        self._layer = 0
        self._counts: list[torch.Tensor] = []
        self._probabilities: list[torch.Tensor] = []
        device = next(model.parameters()).device
        self.tally = Tally(len(found), self._experts, device)
        for router in found:
            if hasattr(router, "gate"):
                router.gate.register_forward_hook(self._keep_logits)
            router.register_forward_hook(self._hook)

    @contextmanager
    def watching(self, shard: Shard) -> Iterator[None]:
        """Count tokens routed within it, without recomputation for a backward pass."""
        self._shard, self._layer, self._counts, self._probabilities = shard, 0, [], []
        self._bands = (shard.positions >= self._context // BANDS).long().flatten()
        self.tally.add_tokens(self._bands)
        try:
            yield
        finally:
            self._shard = None

    def balance(self, group: dist.ProcessGroup | None) -> torch.Tensor:
        """Balancing loss of the pass just watched: mean over layers, summed over rows.

        It is this process's part; the processes of `group` share the rows.
        """
        counts, probabilities = torch.stack(self._counts), torch.stack(self._probabilities)
        if group is not None:
            dist.all_reduce(counts, group=group)
        shares, means = counts / self._context, probabilities / self._context
        return self._experts * (shares * means).sum() / len(counts)

    def _keep_logits(self, gate: Any, inputs: Any, logits: torch.Tensor) -> None:
        self._logits = logits

    def _hook(self, router: Any, inputs: Any, output: Any) -> None:
        """Hugging Face's give logits, weights and indices; AutoEP's weights, indices and counts."""
        logits, chosen = output[0], output[-1]
        if self._logits is not None:
            logits, chosen, self._logits = self._logits, output[1], None
        if self._shard is None and not self._balances:
            return
        with torch.set_grad_enabled(self._balances and torch.is_grad_enabled()):
            self._seen(logits.float(), chosen)

    def _seen(self, logits: torch.Tensor, chosen: torch.Tensor) -> None:
        p = logits.sigmoid() if self._sigmoid else logits.softmax(1)
        p = p / p.sum(1, keepdim=True) if self._sigmoid else p
        if self._shard is None:
            return
        self.tally.add(self._layer, self._bands, chosen, p.detach())
        self._layer += 1
        if self._balances:
            self._keep_rows(chosen, p, *self._shard.tokens.shape)

    def _keep_rows(self, chosen: torch.Tensor, p: torch.Tensor, rows: int, length: int) -> None:
        row = torch.arange(rows, device=p.device).repeat_interleave(length)
        self._counts.append(counted(row, chosen, rows, self._experts))
        self._probabilities.append(p.view(rows, length, -1).sum(1))


def counted(groups: torch.Tensor, chosen: torch.Tensor, many: int, experts: int) -> torch.Tensor:
    """How often each expert was chosen in each group: [groups, experts].

    Args:
        groups: group of each token, below `many`: [tokens].
        chosen: experts of each token: [tokens, k].
    """
    cells = (groups[:, None] * experts + chosen).flatten()
    found = torch.zeros(many * experts, device=chosen.device)
    return found.scatter_add_(0, cells, torch.ones_like(cells, dtype=found.dtype)).view(many, -1)


def _routers(model: Any) -> Iterator[Any]:
    for module in model.modules():
        if getattr(module, "_is_autoep_layer", False):
            yield module.router
        elif hasattr(module, "experts") and hasattr(module, "gate"):
            yield module.gate
