from datetime import UTC, datetime

import pytest

from lccp.api.causes import Cause
from lccp.api.objects.training import Heartbeat, Ledger
from lccp_trainer.goodput import WallClock, closed


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_every_second_belongs_to_one_activity(time: Time) -> None:
    clock = WallClock(time.now - 20, time)
    time.now += 10
    clock.turn_to("productive")
    time.now += 5
    with clock.during("saving"):
        time.now += 2
    time.now += 3
    with clock.during("waiting_for_data"):
        time.now += 1
    clock.turn_to("ending")
    time.now += 4
    ledger = clock.ledger()
    assert ledger == Ledger(starting=30, productive=8, saving=2, waiting_for_data=1, ending=4)
    assert ledger.total == time.now - 980
    assert ledger.goodput == pytest.approx(8 / 45)


def test_work_is_unsaved_until_its_state_is_complete(time: Time) -> None:
    clock = WallClock(time.now, time)
    clock.turn_to("productive")
    time.now += 10
    clock.state_taken(100)
    time.now += 5
    assert clock.unsaved_seconds() == 15
    clock.state_complete(100)
    assert clock.unsaved_seconds() == 5


def a_beat(**fields: float) -> Heartbeat:
    return Heartbeat(
        attempt=1,
        writer="a1-00000000",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        phase="Training",
        tokens_total=100,
        ledger=Ledger(starting=20, productive=100, saving=5),
        **fields,
    )


def test_what_a_failure_made_void_is_lost() -> None:
    ledger = closed(a_beat(unsaved_seconds=30), Cause.INTERNAL, 130)
    assert ledger == Ledger(starting=20, productive=70, saving=5, lost=30, ending=5)


def test_what_was_saved_before_the_end_is_not_lost() -> None:
    ledger = closed(a_beat(unsaved_seconds=30), Cause.DRAINED, 130)
    assert ledger == Ledger(starting=20, productive=100, saving=5, ending=5)


def test_a_hang_is_the_time_since_the_last_step() -> None:
    ledger = closed(a_beat(unsaved_seconds=70, step_seconds=60), Cause.HANG, 130)
    assert ledger == Ledger(starting=20, productive=30, saving=5, hanging=60, lost=10, ending=5)


def test_an_attempt_that_never_trained_was_starting() -> None:
    assert closed(None, Cause.CONFIGURATION, 12) == Ledger(starting=12)


@pytest.mark.parametrize("cause", list(Cause))
def test_the_sum_is_the_wall_time(cause: Cause) -> None:
    beat = a_beat(unsaved_seconds=30, step_seconds=3)
    assert closed(beat, cause, 200).total == pytest.approx(200)
