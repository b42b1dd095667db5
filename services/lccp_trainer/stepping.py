"""One step of the optimizer over a global batch."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from lccp.api.spec.training import TrainingSpec
from lccp_trainer.control import Stop
from lccp_trainer.data.batching import StepShape
from lccp_trainer.data.stream import Batch
from lccp_trainer.objectives.pretrain import summed_nll
from lccp_trainer.parallel.engine import apply_step
from lccp_trainer.parallel.optimizer import set_learning_rate
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
    rank: int
    device: torch.device

    def step(self, batch: Batch, tokens: int, stop: Stop) -> Step:
        """Make the step that ends at `tokens`; `stop` is what this rank was asked for."""
        rate = learning_rate(self.training, tokens)
        set_learning_rate(self.engine, rate)
        own_nll, norm = self._optimize(batch)
        nll, agreed = self._agree(own_nll, stop)
        return Step(nll / batch.predicted, rate, norm, agreed)

    def _optimize(self, batch: Batch) -> tuple[torch.Tensor, float | None]:
        """Gradient of the batch's mean NLL, whatever the rows are laid out over; one update."""
        scale = self.shape.accumulation_steps * self.shape.processes / batch.predicted
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        *others, last = self.shape.micro_batches(self.rank)
        for rows in others:
            total += self._backward(batch, rows, scale)
            self.engine.step()
        total += self._backward(batch, last, scale)
        return total, apply_step(self.engine)

    def _backward(self, batch: Batch, rows: slice, scale: float) -> torch.Tensor:
        """NLL of a micro-batch, summed over its predicted tokens, after its backward pass."""
        tokens = torch.from_numpy(batch.tokens[rows]).long().to(self.device)
        positions = torch.from_numpy(batch.positions[rows]).long().to(self.device)
        # No mask: one of all ones would let packed documents see each other. Positions part them.
        logits = self.engine(input_ids=tokens, position_ids=positions, use_cache=False).logits
        nll = summed_nll(logits, tokens, positions)
        self.engine.backward(nll * scale)
        return nll.detach().double()

    def _agree(self, nll: torch.Tensor, stop: Stop) -> tuple[float, Stop]:
        """NLL summed over the ranks, and the greatest stop that any of them was asked for."""
        flags = torch.stack([nll, *(nll.new_tensor(float(stop >= s)) for s in list(Stop)[1:])])
        dist.all_reduce(flags)
        total, *votes = flags.tolist()
        asked = [s for s, votes_for in zip(list(Stop)[1:], votes, strict=True) if votes_for]
        return total, max(asked, default=Stop.NO)
