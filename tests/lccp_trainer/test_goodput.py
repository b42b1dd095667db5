import pytest

from lccp.api.objects.training import Ledger
from lccp_trainer.goodput import WallClock


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
