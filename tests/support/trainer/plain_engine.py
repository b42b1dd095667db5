"""An engine without DeepSpeed, the smallest model under it, and a gang of one process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy

from lccp.api.spec.training import TrainingSpec
from lccp_trainer.objectives.meters import Meter
from lccp_trainer.parallel.optimizer import adamw
from lccp_trainer.parallel.shard import IGNORED, Shard

VOCABULARY = 16


def a_training(**fields: Any) -> TrainingSpec:
    """Of 64 tokens a step, without warm-up."""
    document = {"tokens": 6_400, "globalBatchTokens": 64, "learningRate": "0.5"}
    return TrainingSpec.parse(document | fields, "training")


class Bigrams(nn.Module):
    """Predicts each token by the one before it alone, as an objective around a model does."""

    balance_coefficient = 0.0
    routers = None
    meters: Sequence[Meter] = ()

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Module()
        self.model.config = SimpleNamespace(model_type="llama")  # type: ignore[assignment]
        self.model.logits = nn.Parameter(torch.randn(VOCABULARY, VOCABULARY))
        self.model.bias = nn.Parameter(torch.randn(VOCABULARY))

    def forward(self, shard: Shard) -> tuple[torch.Tensor, None]:
        """NLL, summed, and no balancing loss."""
        logits = (self.model.logits[shard.tokens] + self.model.bias).flatten(0, 1)
        targets = shard.targets.flatten()
        return cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"), None


class PlainEngine:
    """What DeepSpeed's engine is to the trainer on one process without ZeRO, unclipped."""

    def __init__(
        self, module: nn.Module, training: TrainingSpec | None = None, accumulation_steps: int = 1
    ) -> None:
        self.module = module
        self.optimizer: Any = adamw(module, training or a_training())
        self._accumulation_steps = accumulation_steps
        self._passes = 0

    def __call__(self, shard: Shard) -> Any:
        return self.module(shard)

    def zero_optimization(self) -> bool:
        return False

    def zero_optimization_stage(self) -> int:
        return 0

    def backward(self, loss: torch.Tensor) -> None:
        (loss / self._accumulation_steps).backward()  # type: ignore[no-untyped-call]
        self._passes += 1

    def step(self) -> None:
        if self._passes == self._accumulation_steps:
            self._passes = 0
            self.optimizer.step()
            self.optimizer.zero_grad()


@contextmanager
def alone() -> Iterator[None]:
    """Within it this process is a gang of one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        dist.destroy_process_group()
