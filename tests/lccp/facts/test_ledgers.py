"""Where the time of attempts went: every second of an attempt is in one part."""

import math
from datetime import timedelta

import a_run
import pytest

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.training import End, Heartbeat, Ledger
from lccp.facts.facts import Told
from lccp.facts.ledgers import SECONDS_MAX, account_of, closed, ledger_of, ledgers, whole_seconds

BEAT = a_run.heartbeat()


def after(seconds: float) -> dict[str, object]:
    return {"at": a_run.START + timedelta(seconds=seconds)}


def a_beat(at: float = 125, **fields: float) -> Heartbeat:
    """Of a writer that began at 0, unless `at` says otherwise."""
    ledger = Ledger(starting=20, productive=100, saving=5)
    return BEAT.model_copy(update={"ledger": ledger, **after(at), **fields})


def an_attempt(seconds: float | None = None, cause: Cause | None = None) -> AttemptRecord:
    """Decided at 0, and ended after `seconds`."""
    ended = a_run.START + timedelta(seconds=seconds) if seconds is not None else None
    return AttemptRecord(number=1, started_at=a_run.START, ended_at=ended, cause=cause)


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


@pytest.mark.parametrize("cause", list(Cause))
def test_the_sum_is_the_wall_time_of_the_attempt(cause: Cause) -> None:
    told = Told(1, a_beat(180, unsaved_seconds=30, step_seconds=3), None)
    ledger = ledger_of([told], an_attempt(200, cause))
    assert ledger is not None
    assert ledger.total == pytest.approx(200)
    assert ledger.queued == 55


def test_an_attempt_that_ended_is_told_by_its_end() -> None:
    ended = Ledger(productive=1.0, lost=2.0)
    end = End(result=Cause.HANG, ledger=ended, at=a_run.START)
    unsaid = end.model_copy(update={"ledger": Ledger()})
    told = [Told(1, BEAT, end), Told(2, BEAT, unsaid), Told(3, BEAT, None), Told(4, None, unsaid)]
    assert ledgers(told, ()) == {1: ended, 2: a_run.LEDGER, 3: a_run.LEDGER}


def test_the_time_until_an_end_was_observed_belongs_to_it() -> None:
    """Decided at 0, worked from 30 to 160, observed at 170."""
    end = End(result=Cause.INTERNAL, ledger=Ledger(productive=100.0, lost=30.0), **after(160))
    ledger = ledger_of([Told(1, a_beat(150), end)], an_attempt(170, Cause.INTERNAL))
    assert ledger == Ledger(queued=30.0, productive=100.0, lost=30.0, ending=10.0)


def test_a_lost_attempt_was_hanging_from_its_last_heartbeat_to_its_end() -> None:
    told = Told(1, a_beat(135, unsaved_seconds=40.0), None)
    ledger = ledger_of([told], an_attempt(435, Cause.LOST))
    parts = Ledger(queued=10.0, starting=20.0, productive=60.0, saving=5.0, lost=40.0)
    assert ledger == parts.model_copy(update={"hanging": 300.0})


def test_an_attempt_that_never_began_was_queued() -> None:
    attempt = an_attempt(40, Cause.DRAINED)
    assert ledgers((), [attempt]) == {1: Ledger(queued=40.0)}
    assert ledgers((), [an_attempt()]) == {}


def test_a_writer_that_keeps_no_ledger_tells_nothing() -> None:
    """As the importer of an attached run."""
    silent = BEAT.model_copy(update={"ledger": Ledger()})
    assert account_of(Told(1, silent, None)) is None
    assert ledgers([Told(1, silent, None)], [an_attempt(40, Cause.COMPLETED)]) == {}


def test_an_attempt_that_a_queue_let_in_again_is_told_by_all_its_writers() -> None:
    """Decided at 0, trained from 30 to 100, taken away, trained from 150 to 160, and on."""
    end = End(result=Cause.TERMINATED, ledger=Ledger(starting=10.0, productive=60.0), **after(100))
    beat = BEAT.model_copy(update={"ledger": Ledger(productive=10.0), **after(160)})
    told = [Told(1, BEAT, end), Told(1, beat, None)]
    whole = Ledger(queued=30.0 + 50.0, starting=10.0, productive=70.0)
    assert ledgers(told, [an_attempt()])[1].model_dump() == pytest.approx(whole.model_dump())


def test_work_of_pods_that_a_queue_took_without_a_word_is_lost() -> None:
    taken = Told(1, a_beat(125, unsaved_seconds=40.0), None)
    beat = BEAT.model_copy(update={"ledger": Ledger(productive=10.0), **after(160)})
    whole = Ledger(queued=25.0, starting=20.0, productive=70.0, saving=5.0, lost=40.0)
    assert ledger_of([taken, Told(1, beat, None)], an_attempt()) == whole


@pytest.mark.parametrize("skew", [-60.0, 60.0])
def test_clocks_that_differ_change_no_sum(skew: float) -> None:
    told = Told(1, a_beat(135 + skew), None)
    ledger = ledger_of([told], an_attempt(140, Cause.COMPLETED))
    assert ledger is not None
    assert (ledger.total, ledger.productive) == (140.0, 100.0)
    assert min(ledger.queued, ledger.hanging) >= 0
    running = ledger_of([Told(1, a_beat(5), None)], an_attempt())
    assert running is not None
    assert running.queued == 0


@pytest.mark.parametrize("cause", [None, Cause.HANG, Cause.COMPLETED])
@pytest.mark.parametrize("odd", [-3_600.0, -math.inf, math.nan, math.inf, 1e300])
def test_a_clock_that_was_set_back_makes_no_time_of_less_than_nothing(
    cause: Cause | None, odd: float
) -> None:
    ledger = Ledger(starting=odd, productive=100, saving=5)
    beat = a_beat(unsaved_seconds=odd, step_seconds=odd).model_copy(update={"ledger": ledger})
    end = End(result=Cause.INTERNAL, ledger=ledger, **after(125))
    for told in (Told(1, beat, None), Told(1, beat, end)):
        found = ledger_of([told], an_attempt(200, cause))
        assert found is not None
        parts = whole_seconds(found)
        assert AttemptRecord.model_validate(an_attempt(200).model_dump() | {"seconds": parts})
        assert parts.get("starting", 0) in (0, SECONDS_MAX)


def test_an_attempt_that_ended_before_it_was_decided_took_no_time() -> None:
    """By the API server's clock, which may be set back."""
    assert ledger_of([], an_attempt(-5, Cause.DRAINED)) == Ledger()
    beat = a_beat()
    assert ledger_of([Told(1, beat, None)], an_attempt(-5, Cause.COMPLETED)) == beat.ledger


def test_whole_seconds_add_up() -> None:
    ledger = Ledger(starting=0.4, productive=0.4, waiting_for_data=0.4, saving=0.4, ending=2.6)
    found = whole_seconds(ledger)
    assert found == {"productive": 1, "saving": 1, "ending": 2}
    assert sum(found.values()) == round(ledger.total)
    assert whole_seconds(Ledger(waiting_for_data=3.0)) == {"waitingForData": 3}
