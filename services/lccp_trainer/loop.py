"""The training loop: one step after the other, until the budget is reached or a stop is asked."""

import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lccp.api.causes import Cause
from lccp.api.objects.training import StepRecord
from lccp.api.spec.training import TrainingSpec
from lccp.cost.flops import utilisation
from lccp.cost.layout import StepShape
from lccp_trainer.control import Stop, StopRequests
from lccp_trainer.data.packing import Position
from lccp_trainer.data.stream import Batch, Stream
from lccp_trainer.ends import NotFinite
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.schedule import is_due
from lccp_trainer.state.progress import Point
from lccp_trainer.state.saving import Saver
from lccp_trainer.stepping import Step, Stepper
from lccp_trainer.watchdog import Watchdog

logger = logging.getLogger(__name__)

RATE_STEPS = 10


@dataclass
class Loop:
    """The loop of this rank. All ranks run it alike."""

    training: TrainingSpec
    shape: StepShape
    due: tuple[int, ...]
    """Token counts at which a checkpoint is asked for, ascending."""
    stream: Stream
    stepper: Stepper
    saver: Saver
    requests: StopRequests
    watchdog: Watchdog
    reporter: Reporter | None
    flops_per_token: float | None
    """None: the model is of a family that lccp.cost does not know."""
    device_name: str | None
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=RATE_STEPS))
    _not_finite: int = 0

    def run(self, point: Point) -> tuple[Cause, Point]:
        """Train from `point` on; how it ended, and where."""
        with ThreadPoolExecutor(1, "data") as ahead:
            loading = ahead.submit(self._next_batch, point.position)
            while point.tokens < self.training.tokens:
                begun = time.monotonic()
                batch, position = loading.result()
                loading = ahead.submit(self._next_batch, position)
                before, tokens = point.tokens, point.tokens + self.shape.tokens
                step = self.stepper.step(batch, tokens, self.requests.asked)
                point = Point(point.step + 1, tokens, position)
                self._seconds.append(time.monotonic() - begun)
                self._account(step, point)
                if is_due(self.due, before, tokens):
                    self._save(point, with_checkpoint=True)
                if step.stop is not Stop.NO and tokens < self.training.tokens:
                    return self._stop(step.stop, point)
        return Cause.COMPLETED, point

    def _next_batch(self, position: Position) -> tuple[Batch, Position]:
        own = self.shape.own_rows(self.stepper.groups.rank)
        return self.stream.next_batch(position, self.shape.rows, own)

    def _account(self, step: Step, point: Point) -> None:
        self.watchdog.touch()
        self.saver.uploader.check()
        if self.reporter:
            self._report(self.reporter, step, point)
        self._not_finite = 0 if step.finite else self._not_finite + 1
        if self._not_finite > self.training.not_finite_steps:
            raise NotFinite(
                f"loss or gradient was not finite in {self._not_finite} steps in a row, up to step "
                f"{point.step}: lower training.learningRate, or look at the data there"
            )
        if not step.finite:
            logger.warning("step %d left out: loss or gradient is not finite", point.step)

    def _report(self, reporter: Reporter, step: Step, point: Point) -> None:
        rate = self.shape.tokens * len(self._seconds) / sum(self._seconds)
        if point.step % self.training.log_every_steps == 0:
            reporter.record(
                StepRecord(
                    step=point.step,
                    tokens=point.tokens,
                    loss=step.loss,
                    learning_rate=step.learning_rate,
                    gradient_norm=step.gradient_norm,
                    tokens_per_second=round(rate, 1),
                    at=datetime.now(UTC),
                )
            )
        reporter.update(
            phase="Training",
            step=point.step,
            tokens=point.tokens,
            loss=step.loss if step.finite else None,
            learning_rate=step.learning_rate,
            gradient_norm=step.gradient_norm,
            tokens_per_second=round(rate, 1),
            mfu=self._utilisation(rate),
        )

    def _utilisation(self, tokens_per_second: float) -> float | None:
        if self.flops_per_token is None:
            return None
        flops_per_second = tokens_per_second * self.flops_per_token / self.shape.layout.processes
        return utilisation(flops_per_second, self.device_name)

    def _stop(self, stop: Stop, point: Point) -> tuple[Cause, Point]:
        self._save(point, with_checkpoint=False)
        return (Cause.DRAINED if stop is Stop.DRAIN else Cause.TERMINATED), point

    def _save(self, point: Point, with_checkpoint: bool) -> None:
        if self.reporter:
            self.reporter.update(phase="Saving")
        if with_checkpoint:
            self.saver.checkpoint(point)
        self.saver.state(point)
        self.watchdog.touch()
