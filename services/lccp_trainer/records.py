"""What a rank reports of its steps: lines of the history, and the heartbeat."""

import math
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import torch

from lccp.api.objects.training import RouterLoad, RouterRecord, Spike, StepRecord
from lccp.cost.flops import utilisation
from lccp_trainer.data.packing import Position
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.objectives.losses import Losses
from lccp_trainer.objectives.routing import Routing
from lccp_trainer.state.progress import Point
from lccp_trainer.stepping import Step

RATE_STEPS = 10
SPIKES_SHOWN = 20
DIGITS = 4


@dataclass
class Recorder:
    """Records steps, on rank 0."""

    engine: Any
    reporter: Reporter | None
    """None on the other ranks."""
    log_every_steps: int
    step_tokens: int
    sources: tuple[str, ...]
    """Names, in the order of their numbers in a batch."""
    epochs: Callable[[Position], dict[str, float]]
    """How often each source was read at a position."""
    processes: int
    flops_per_token: Callable[[float], float] | None
    """By the length of its document; None: lccp.cost does not know the model's family."""
    device_name: str | None
    _ended: deque[float] = field(default_factory=lambda: deque(maxlen=RATE_STEPS + 1))
    _spikes: list[Spike] = field(default_factory=list)

    def begin(self) -> None:
        """Report that the first step begins now."""
        self._ended.append(time.monotonic())

    def say(self, phase: Literal["Training", "Saving"], **changes: Any) -> None:
        """Report the current activity in the heartbeat."""
        if self.reporter:
            self.reporter.update(phase=phase, **changes)

    def record(self, step: Step, point: Point, spike: Spike | None) -> None:
        """Record a step that ended at `point`."""
        if self.reporter is None:
            return
        self._ended.append(time.monotonic())
        logged = point.step % self.log_every_steps == 0 or spike is not None
        routers = self.engine.module.routers
        routing = routers.tally.take() if routers and logged else None
        losses = self.engine.module.losses.take() if logged else None
        if spike is not None:
            self._spikes.append(spike)
        router = None if routing is None else _record(routing)
        load = None
        if routing is not None:
            load = RouterLoad(step=point.step, load=_nested(routing.load))
            self.reporter.update(router=router)
        if losses is not None:
            by_source = self._by_source(losses)
            self.reporter.update(loss_by_source=by_source, position_shares=losses.shares)
            self.reporter.record(self._line(step, point, spike, router, by_source), load)
        self._beat(step, point)

    def _by_source(self, losses: Losses) -> dict[str, float]:
        """Mean loss of each source; values that are not numbers are omitted."""
        means = zip(self.sources, losses.by_source, strict=True)
        return {name: round(mean, 2 * DIGITS) for name, mean in means if math.isfinite(mean)}

    def _line(
        self,
        step: Step,
        point: Point,
        spike: Spike | None,
        router: RouterRecord | None,
        by_source: dict[str, float],
    ) -> StepRecord:
        return StepRecord(
            step=point.step,
            tokens=point.tokens,
            loss=step.loss,
            loss_by_source=by_source,
            learning_rate=step.learning_rate,
            gradient_norm=step.gradient_norm,
            balance_loss=step.balance,
            router=router,
            spike=spike,
            tokens_per_second=round(self._rate(), 1),
            at=datetime.now(UTC),
        )

    def _beat(self, step: Step, point: Point) -> None:
        rate = self._rate()
        self.say(
            "Training",
            step=point.step,
            tokens=point.tokens,
            loss=step.loss if step.finite else None,
            learning_rate=step.learning_rate,
            gradient_norm=step.gradient_norm,
            tokens_per_second=round(rate, 1),
            mfu=self._utilisation(rate, step.document_length),
            spikes=tuple(self._spikes[-SPIKES_SHOWN:]),
            spikes_total=len(self._spikes),
            epochs=self.epochs(point.position),
            peak_memory_bytes=peak_memory_bytes(),
        )

    def _rate(self) -> float:
        """Tokens per second over the last steps, pauses between them included."""
        steps = len(self._ended) - 1
        return self.step_tokens * steps / max(1e-9, self._ended[-1] - self._ended[0])

    def _utilisation(self, tokens_per_second: float, document_length: float) -> float | None:
        if self.flops_per_token is None:
            return None
        flops_per_second = tokens_per_second * self.flops_per_token(document_length)
        return utilisation(flops_per_second / self.processes, self.device_name)


def peak_memory_bytes() -> int:
    """Most memory that was in use on the accelerator; without one, by this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _record(routing: Routing) -> RouterRecord:
    return RouterRecord(
        entropy=_nested(routing.entropy.T),
        busiest_share=_nested(routing.busiest.T),
        experts=routing.load.shape[2],
        experts_per_token=max(1, round(float(routing.load.sum(2).max()))),
    )


def _nested(values: torch.Tensor) -> Any:
    """Nested lists, rounded; a load [layers, bands, experts] is ordered by band first."""
    ordered = values.transpose(0, 1) if values.ndim == 3 else values
    return ordered.double().mul(10**DIGITS).round().div(10**DIGITS).tolist()
