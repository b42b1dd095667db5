"""The training loop: one step after another, until the budget is reached or a stop is requested."""

import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from lccp.api.causes import Cause
from lccp.api.objects.training import Spike
from lccp.api.spec.checkpoints import CheckpointsSpec
from lccp.api.spec.training import TrainingSpec
from lccp.cost.layout import StepShape
from lccp_trainer.control import Requests, Stop
from lccp_trainer.data.packing import Position
from lccp_trainer.data.stream import Batch, Stream
from lccp_trainer.ends import NotFinite
from lccp_trainer.goodput import WallClock
from lccp_trainer.guard import Guard
from lccp_trainer.records import Recorder
from lccp_trainer.schedule import is_due, reaches_multiple
from lccp_trainer.state.progress import Point
from lccp_trainer.state.saving import Saver
from lccp_trainer.stepping import Step, Stepper
from lccp_trainer.watchdog import Watchdog

logger = logging.getLogger(__name__)

MOST_REWINDS = 8
"""In one attempt; later spikes are only recorded."""


@dataclass
class Loop:
    """The loop of this rank. All ranks run it alike."""

    training: TrainingSpec
    checkpoints: CheckpointsSpec
    shape: StepShape
    stream: Stream
    stepper: Stepper
    saver: Saver
    rewind: Callable[[], Point | None]
    """Restores the engine from the newest complete state; None if there is none."""
    requests: Requests
    watchdog: Watchdog
    clock: WallClock
    recorder: Recorder
    _guard: Guard = field(default_factory=Guard)
    _not_finite: int = 0
    _rewinds: int = 0

    def run(self, point: Point) -> tuple[Cause, Point]:
        """Train from `point`; how it ended, and where."""
        due = self.checkpoints.due(self.training.tokens)
        self._guard = Guard.of(point.typical)
        self.recorder.begin()
        ahead = ThreadPoolExecutor(1, "data")
        try:
            loading = ahead.submit(self._load, point.position)
            while point.tokens < self.training.tokens:
                with self.clock.during("waiting_for_data"):
                    batch, position = loading.result()
                loading = ahead.submit(self._load, position)
                self.clock.turn_to("productive")
                before = point
                step = self._step(batch, before.tokens + self.shape.tokens)
                point = Point(before.step + 1, before.tokens + self.shape.tokens, position)
                point = self._account(step, point)
                self._save(step, before, point, is_due(due, before.tokens, point.tokens))
                if step.asked.stop is not Stop.NO and point.tokens < self.training.tokens:
                    return _CAUSES[step.asked.stop], point
        finally:
            # Nobody needs the batch that is under way, for which a bucket may keep it waiting.
            ahead.shutdown(wait=False, cancel_futures=True)
        return Cause.COMPLETED, point

    def _load(self, position: Position) -> tuple[Batch, Position]:
        own = self.shape.own_rows(self.stepper.groups.rank)
        return self.stream.next_batch(position, self.shape.rows, own)

    def _step(self, batch: Batch, tokens: int) -> Step:
        stands_out = self._stands_out if self.training.on_spike == "SkipBatch" else None
        return self.stepper.step(batch, tokens, lambda: self.requests.asked, stands_out)

    def _stands_out(self, loss: float) -> bool:
        return self._guard.loss.outlier(loss) is not None

    def _account(self, step: Step, point: Point) -> Point:
        """Record the step; the point of the run after it, which a rewind changes.

        Raises NotFinite, once the step is recorded, if too many steps were not finite.
        """
        self.watchdog.touch()
        self.clock.stepped()
        self.saver.uploader.check()
        after = self._recorded(step, point)
        self._check_finite(step, point)
        return after

    def _recorded(self, step: Step, point: Point) -> Point:
        outlier = self._guard.watch(step.loss, step.gradient_norm)
        if outlier is None or not math.isfinite(step.loss):
            self.recorder.record(step, point, None)
            return point
        state = None if step.skipped else self._rewound()
        spike = Spike(
            step=point.step,
            tokens=point.tokens,
            signal=outlier.signal,
            value=outlier.value,
            median=outlier.median,
            action="Skipped" if step.skipped else "Rewound" if state else "Recorded",
        )
        logger.warning("spike: %s", spike.model_dump_json(by_alias=True))
        self.recorder.record(step, point, spike)
        return replace(state, position=point.position) if state else point

    def _rewound(self) -> Point | None:
        """The point of the newest state, once restored; None if no rewind is due or possible."""
        if self.training.on_spike != "Rewind" or self._rewinds == MOST_REWINDS:
            return None
        with self.watchdog.paused():
            state = self.rewind()
        if state is not None:
            self._rewinds += 1
            self._guard = Guard.of(state.typical)
        return state

    def _check_finite(self, step: Step, point: Point) -> None:
        self._not_finite = 0 if step.finite else self._not_finite + 1
        if self._not_finite > self.training.not_finite_steps:
            raise NotFinite(
                f"loss or gradient was not finite in {self._not_finite} steps in a row, up to step "
                f"{point.step}: lower training.learningRate, or check the data there"
            )
        if not step.finite:
            logger.warning("step %d skipped: loss or gradient is not finite", point.step)

    def _save(self, step: Step, before: Point, point: Point, with_checkpoint: bool) -> None:
        """Save what is due after a step. Waiting for uploads is not a hang; measuring may be."""
        every = self.checkpoints.state_every_tokens
        due = reaches_multiple(every, before.tokens, point.tokens) or step.asked.save
        stops = step.asked.stop is not Stop.NO
        if not (due or with_checkpoint or stops):
            return
        self.recorder.say("Saving")
        held_out = self.saver.measured(point) if with_checkpoint else None
        with self.watchdog.paused(), self.clock.during("saving"):
            state = replace(point, typical=self._guard.typical)
            self.saver.state(state, with_checkpoint)
            if with_checkpoint:
                self.saver.checkpoint(point, held_out)
            self.requests.saved()


_CAUSES = {Stop.DRAIN: Cause.DRAINED, Stop.TERMINATE: Cause.TERMINATED}
