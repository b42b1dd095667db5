"""The training loop: what follows each step, until the budget is reached or a stop requested."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from plain_engine import a_training

from lccp.api.causes import Cause
from lccp.api.objects.training import Spike
from lccp.api.spec.checkpoints import CheckpointsSpec
from lccp.cost.layout import Layout, StepShape
from lccp_trainer.control import Asked, Requests, Stop
from lccp_trainer.data.packing import Position
from lccp_trainer.data.stream import Batch
from lccp_trainer.ends import NotFinite
from lccp_trainer.goodput import WallClock
from lccp_trainer.guard import FEWEST
from lccp_trainer.loop import MOST_REWINDS, Loop
from lccp_trainer.state.progress import Point
from lccp_trainer.stepping import Step
from lccp_trainer.watchdog import Watchdog

TOKENS = 64
BATCH = Batch(np.zeros((1, TOKENS), np.int32), np.zeros((1, TOKENS), np.int32))
OK = Step(2.0, learning_rate=0.1, gradient_norm=1.0, asked=Asked(), document_length=64.0)
NOT_FINITE = replace(OK, loss=math.nan, gradient_norm=None)


class Data:
    """Gives batches whose position is how many were given."""

    def next_batch(self, position: Position, rows: int, own: slice) -> tuple[Batch, Position]:
        return BATCH, Position((position.tokens[0] + TOKENS,), ())


class Waiting(Data):
    """Gives one batch; for the next one it waits until it is released."""

    def __init__(self) -> None:
        self.given, self.released = 0, threading.Event()

    def next_batch(self, position: Position, rows: int, own: slice) -> tuple[Batch, Position]:
        self.given += 1
        if self.given > 1:
            self.released.wait(30)
        return super().next_batch(position, rows, own)


class Steps:
    """A stepper whose steps a test gives; after them it makes good ones."""

    groups = SimpleNamespace(rank=0)

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = iter(steps)

    def step(self, batch: Batch, tokens: int, asked: Any, stands_out: Any) -> Step:
        made = next(self._steps, OK)
        return replace(made, skipped=bool(stands_out and stands_out(made.loss)))


class Saved:
    """Notes what is saved, and in which order."""

    def __init__(self, measure: Callable[[], object]) -> None:
        self._measure = measure
        self.saves: list[tuple[str, int]] = []
        self.uploader = SimpleNamespace(check=lambda: None)

    def state(self, point: Point, with_checkpoint: bool) -> None:
        self.saves.append(("state", point.tokens // TOKENS))

    def measured(self, point: Point) -> None:
        self._measure()

    def checkpoint(self, point: Point, held_out: None) -> None:
        self.saves.append(("checkpoint", point.tokens // TOKENS))


class Recorded:
    """Notes the spikes, by step."""

    def __init__(self) -> None:
        self.spikes: dict[int, Spike] = {}
        self.steps: list[int] = []

    def begin(self) -> None: ...

    def say(self, phase: str, **changes: Any) -> None: ...

    def record(self, step: Step, point: Point, spike: Spike | None) -> None:
        self.steps.append(point.step)
        if spike:
            self.spikes[point.step] = spike


class Trained:
    """A loop of up to 100 steps, run to its end."""

    def __init__(
        self,
        folder: Path,
        steps: Sequence[Step],
        every: int = 40,
        state: Point | None = None,
        rewind: Callable[[], Point | None] | None = None,
        watchdog: Watchdog | None = None,
        data: Data | None = None,
        measure: Callable[[], object] = lambda: None,
        **training: Any,
    ) -> None:
        self.saved, self.recorded = Saved(measure), Recorded()
        checkpoints = CheckpointsSpec.parse({"everyTokens": every * TOKENS}, "checkpoints")
        watchdog = watchdog or Watchdog(600, folder / "stacks", lambda: None)
        self.loop = Loop(
            training=a_training(**training),
            checkpoints=checkpoints,
            shape=StepShape(1, TOKENS, Layout(1), 1),
            stream=cast(Any, data or Data()),
            stepper=cast(Any, Steps(steps)),
            saver=cast(Any, self.saved),
            rewind=rewind or (lambda: state),
            requests=Requests(),
            watchdog=watchdog,
            clock=WallClock(0.0),
            recorder=cast(Any, self.recorded),
        )
        try:
            self.cause, self.end = self.loop.run(Point(0, 0, Position((0,), ())))
        finally:
            watchdog.stop()


def test_a_batch_that_nobody_needs_does_not_keep_the_end_waiting(tmp_path: Path) -> None:
    data, stops = Waiting(), replace(OK, asked=Asked(Stop.TERMINATE))
    begun = time.monotonic()
    done = Trained(tmp_path, [stops], data=data)
    seconds = time.monotonic() - begun
    data.released.set()

    assert (done.cause, done.end.step) == (Cause.TERMINATED, 1)
    assert seconds < 15


def test_it_ends_at_the_budget_with_what_was_due_saved_state_first(tmp_path: Path) -> None:
    done = Trained(tmp_path, [])

    assert (done.cause, done.end.step, done.end.tokens) == (Cause.COMPLETED, 100, 100 * TOKENS)
    assert done.end.position == Position((100 * TOKENS,), ())
    assert done.recorded.steps == list(range(1, 101))
    due = [step for step in (40, 80, 100) for _ in range(2)]
    assert done.saved.saves == list(zip(("state", "checkpoint") * 3, due, strict=True))


@pytest.mark.parametrize(
    ("stop", "cause"), [(Stop.DRAIN, Cause.DRAINED), (Stop.TERMINATE, Cause.TERMINATED)]
)
def test_a_stop_ends_it_with_a_state_and_without_a_checkpoint(
    tmp_path: Path, stop: Stop, cause: Cause
) -> None:
    done = Trained(tmp_path, [OK, replace(OK, asked=Asked(stop))])

    assert (done.cause, done.end.step) == (cause, 2)
    assert done.saved.saves == [("state", 2)]


def test_a_stop_with_the_last_step_completes_it(tmp_path: Path) -> None:
    done = Trained(tmp_path, [OK] * 99 + [replace(OK, asked=Asked(Stop.DRAIN))])

    assert done.cause is Cause.COMPLETED


def test_a_state_is_saved_when_it_is_asked_for(tmp_path: Path) -> None:
    done = Trained(tmp_path, [OK, OK, replace(OK, asked=Asked(save=True))])

    assert done.saved.saves[0] == ("state", 3)


def test_steps_that_are_not_finite_are_borne_so_many_times_in_a_row(tmp_path: Path) -> None:
    borne = Trained(tmp_path, [NOT_FINITE, NOT_FINITE, OK, NOT_FINITE], notFiniteSteps=2)
    assert borne.cause is Cause.COMPLETED

    with pytest.raises(NotFinite, match="not finite in 3 steps in a row, up to step 4"):
        Trained(tmp_path, [OK, NOT_FINITE, NOT_FINITE, NOT_FINITE], notFiniteSteps=2)


SPIKE = [*[OK] * FEWEST, replace(OK, loss=50.0)]
AT = FEWEST + 1


@pytest.mark.slow
def test_a_hang_while_the_loss_on_held_out_documents_is_measured_is_found(tmp_path: Path) -> None:
    found = threading.Event()
    watchdog = Watchdog(0.2, tmp_path / "hang", found.set, linger_seconds=0)
    waited: list[bool] = []

    Trained(tmp_path, [], watchdog=watchdog, measure=lambda: waited.append(found.wait(10)))

    assert waited == [True] * 3


@pytest.mark.slow
def test_a_rewind_that_waits_for_uploads_is_no_hang(tmp_path: Path) -> None:
    found = threading.Event()
    watchdog = Watchdog(1, tmp_path / "hang", found.set, linger_seconds=0)

    def rewind() -> None:
        found.wait(3)

    Trained(tmp_path, SPIKE, watchdog=watchdog, rewind=rewind, onSpike="Rewind")

    assert not found.is_set()


def test_a_spike_is_recorded_and_nothing_else_unless_it_is_asked_for(tmp_path: Path) -> None:
    done = Trained(tmp_path, SPIKE, onSpike="Record")

    assert set(done.recorded.spikes) == {AT}
    spike = done.recorded.spikes[AT]
    assert (spike.action, spike.value, spike.median) == ("Recorded", 50.0, 2.0)
    assert done.end.step == 100


def test_a_batch_with_a_spike_is_skipped(tmp_path: Path) -> None:
    done = Trained(tmp_path, SPIKE, onSpike="SkipBatch")

    assert done.recorded.spikes[AT].action == "Skipped"


def test_a_rewind_goes_back_to_a_state_and_on_with_the_data_after_the_spike(
    tmp_path: Path,
) -> None:
    state = Point(30, 30 * TOKENS, Position((30 * TOKENS,), ()))
    done = Trained(tmp_path, SPIKE, state=state, onSpike="Rewind")

    assert done.recorded.spikes[AT].action == "Rewound"
    assert done.recorded.steps[AT - 1 : AT + 1] == [AT, 31]
    assert done.end.position == Position(((100 + AT - 30) * TOKENS,), ())


def test_spikes_before_the_first_state_use_up_no_rewind(tmp_path: Path) -> None:
    state = Point(30, 30 * TOKENS, Position((30 * TOKENS,), ()))
    states = iter([None] * MOST_REWINDS + [state])
    spikes = [*SPIKE, *SPIKE[-1:] * MOST_REWINDS]

    done = Trained(tmp_path, spikes, rewind=lambda: next(states), onSpike="Rewind")

    assert [spike.action for spike in done.recorded.spikes.values()] == (
        ["Recorded"] * MOST_REWINDS + ["Rewound"]
    )


def test_without_a_state_a_spike_is_recorded_alone(tmp_path: Path) -> None:
    done = Trained(tmp_path, SPIKE, onSpike="Rewind")

    assert done.recorded.spikes[AT].action == "Recorded"
    assert done.end.position == Position((100 * TOKENS,), ())
