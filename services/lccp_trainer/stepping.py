"""One step of the optimizer over a global batch."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from lccp.api.spec.training import TrainingSpec
from lccp.cost.layout import StepShape
from lccp_trainer.control import Stop
from lccp_trainer.data.stream import Batch
from lccp_trainer.parallel.engine import apply_step
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.optimizer import set_learning_rate
from lccp_trainer.parallel.shard import Shard, shards
from lccp_trainer.schedule import learning_rate


@dataclass(frozen=True)
class Step:
    """What a step came to: the same on every rank."""

    loss: float
    """Mean NLL of the predicted tokens, nats."""
    learning_rate: float
    gradient_norm: float | None
    """Global norm before clipping; None if it was not finite."""
    stop: Stop

    @property
    def finite(self) -> bool:
        """Whether loss and gradient were finite; the optimizer leaves out a step that was not."""
        return self.gradient_norm is not None and math.isfinite(self.loss)


@dataclass(frozen=True)
class Stepper:
    """Makes steps on this rank."""

    engine: Any
    training: TrainingSpec
    shape: StepShape
    groups: Groups
    device: torch.device

    def step(self, batch: Batch, tokens: int, stop: Stop) -> Step:
        """Make the step that ends at `tokens`; `stop` is what this rank was asked for."""
        self._seed(tokens)
        rate = learning_rate(self.training, tokens)
        set_learning_rate(self.engine, rate)
        own = shards(batch, self.shape, self.groups, self.device)
        counted = self._sum(sum(shard.counted for shard in own))
        own_nll, norm = self._optimize(own, counted)
        nll, agreed = self._agree(own_nll, stop)
        return Step(nll / counted, rate, norm, agreed)

    def _optimize(self, own: list[Shard], counted: float) -> tuple[torch.Tensor, float | None]:
        """One update by the gradient of the mean NLL of all `counted` tokens of the step.

        DeepSpeed divides what is backpropagated by the micro batches and the processes, so a sum
        that is scaled by both is the exact mean, however unequal the parts of the processes are.
        """
        scale = self.shape.accumulation_steps * self.shape.layout.processes / counted
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for number, shard in enumerate(own, 1):
            nll = self.engine(shard)
            self.engine.backward(nll * scale)
            total += nll.detach().double()
            if number < len(own):
                self.engine.step()
        return total, apply_step(self.engine)

    def _seed(self, tokens: int) -> None:
        """Make what is random in a step depend on where it is, not on what went before it."""
        entropy = np.random.SeedSequence((self.training.seed, tokens, self.groups.rank))
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0]))

    def _sum(self, own: int) -> float:
        """`own` summed over the ranks."""
        total = torch.tensor(float(own), dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def _agree(self, nll: torch.Tensor, stop: Stop) -> tuple[float, Stop]:
        """NLL summed over the ranks, and the greatest stop that any of them was asked for."""
        flags = torch.stack([nll, *(nll.new_tensor(float(stop >= s)) for s in list(Stop)[1:])])
        dist.all_reduce(flags)
        total, *votes = flags.tolist()
        asked = [s for s, votes_for in zip(list(Stop)[1:], votes, strict=True) if votes_for]
        return total, max(asked, default=Stop.NO)
