"""One step of the optimizer over a global batch."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from lccp.api.spec.training import TrainingSpec
from lccp.cost.layout import StepShape
from lccp_trainer.control import Asked
from lccp_trainer.data.stream import Batch
from lccp_trainer.parallel.engine import apply_step
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.optimizer import set_learning_rate
from lccp_trainer.parallel.shard import Shard, shards
from lccp_trainer.schedule import learning_rate


@dataclass(frozen=True)
class Step:
    """The result of a step: the same on every rank."""

    loss: float
    """Mean NLL of the predicted tokens, nats."""
    learning_rate: float
    gradient_norm: float | None
    """Global norm before clipping; None if it was not finite, or the batch was left out."""
    asked: Asked
    """What was requested of any rank, up to the last backward pass."""
    document_length: float
    """Tokens of a document, averaged over tokens: attention costs as much as in rows this long."""
    skipped: bool = False
    """Whether the batch was left out because its loss stands out."""
    balance: float | None = None
    """Balancing loss of the routers, averaged over layers and rows; None if it is not applied."""

    @property
    def finite(self) -> bool:
        """Whether loss and gradient were finite; the optimizer leaves out a step that was not."""
        return self.skipped or (self.gradient_norm is not None and math.isfinite(self.loss))


@dataclass(frozen=True)
class Stepper:
    """Makes steps on this rank."""

    engine: Any
    training: TrainingSpec
    shape: StepShape
    groups: Groups
    device: torch.device

    def step(
        self,
        batch: Batch,
        tokens: int,
        asked: Callable[[], Asked],
        stands_out: Callable[[float], bool] | None = None,
    ) -> Step:
        """Make the step that ends at `tokens`.

        Args:
            asked: what is requested of this rank.
            stands_out: whether a batch of this mean loss must not change the weights. None: all
                batches change them, and no rank waits for the others before the backward pass.
        """
        self._seed(tokens)
        rate = learning_rate(self.training, tokens)
        set_learning_rate(self.engine, rate)
        own = shards(batch, self.shape, self.groups, self.device)
        assert batch.totals is not None
        passes = _Passes(self, batch.totals.predicted)
        for shard in own[:-1]:
            self.engine.backward(passes.forward(shard))
            self.engine.step()
        last = passes.forward(own[-1])
        passes.end(asked().flags())
        skipped = stands_out is not None and stands_out(passes.mean_loss())
        # Every ZeRO stage skips a step whose gradient is not finite.
        self.engine.backward(last * math.nan if skipped else last)
        norm = apply_step(self.engine)
        loss, balance, flags = passes.read()
        return Step(
            loss=loss,
            learning_rate=rate,
            gradient_norm=norm,
            asked=Asked.of_flags(flags),
            document_length=1 + 2 * batch.totals.preceding / self.shape.tokens,
            skipped=skipped,
            balance=balance / self.shape.rows if self._coefficient else None,
        )

    @property
    def _coefficient(self) -> float:
        return float(self.engine.module.balance_coefficient)

    def _seed(self, tokens: int) -> None:
        """Make the randomness of a step depend on its position, not on the steps before it."""
        entropy = np.random.SeedSequence((self.training.seed, tokens, self.groups.rank))
        seed = int(entropy.generate_state(1, np.uint64)[0])
        # torch.manual_seed formats the stack for every device type, even absent ones.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)


class _Passes:
    """The forward passes of a step, and what they add up over the ranks.

    DeepSpeed divides the backpropagated value by the numbers of micro batches and processes. A sum
    scaled by both is thus the exact mean over all predicted tokens of the step, however unequal the
    parts of the processes are.
    """

    def __init__(self, stepper: Stepper, predicted: int) -> None:
        """`predicted`: tokens that are predicted in the step, by all processes."""
        self._engine, self._device = stepper.engine, stepper.device
        self._meters = stepper.engine.module.meters
        shape = stepper.shape
        times = shape.accumulation_steps * shape.layout.processes
        self._predicted = predicted or math.nan
        self._of_nll = times / self._predicted
        self._of_balance = times * stepper._coefficient / shape.rows
        self._losses = self._numbers([0, 0])

    def forward(self, shard: Shard) -> torch.Tensor:
        """The value to backpropagate for a shard."""
        nll, balance = self._engine(shard)
        self._losses[0] += nll.detach()
        loss: torch.Tensor = nll * self._of_nll
        if balance is not None:
            self._losses[1] += balance.detach()
            loss = loss + balance * self._of_balance
        return loss

    def end(self, flags: Iterable[float]) -> None:
        """Begin to sum losses, `flags` and meters over the ranks; called after the last pass."""
        parts = [self._losses, self._numbers(flags), *(meter.give() for meter in self._meters)]
        self._sizes = [len(part) for part in parts]
        self._totals = torch.cat(parts)
        self._work = dist.all_reduce(self._totals, async_op=True)

    def mean_loss(self) -> float:
        """Mean NLL of the predicted tokens, once the other ranks have theirs."""
        self._work.wait()
        return float(self._totals[0]) / self._predicted

    def read(self) -> tuple[float, float, list[float]]:
        """Mean and balancing loss, and flags; meters receive their sums."""
        loss = self.mean_loss()
        losses, flags, *measured = torch.split(self._totals.cpu(), self._sizes)
        for meter, sums in zip(self._meters, measured, strict=True):
            meter.receive(sums)
        return loss, float(losses[1]), flags.tolist()

    def _numbers(self, values: Iterable[float]) -> torch.Tensor:
        return torch.tensor([*values], dtype=torch.float64, device=self._device)
