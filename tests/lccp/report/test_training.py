"""What the trainers reported, in words and rows."""

from datetime import timedelta

import a_run
import pytest

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.training import End, Ledger, RouterRecord
from lccp.facts.facts import Told
from lccp.report.training import (
    accelerator_seconds,
    activities,
    held_out_bands,
    ledgers,
    router_bands,
    source_losses,
    spike_sentence,
    spikes_total,
)

BEAT = a_run.heartbeat()


def after(seconds: float) -> dict[str, object]:
    return {"at": a_run.START + timedelta(seconds=seconds)}


def test_an_attempt_that_ended_is_told_by_its_end() -> None:
    ended = Ledger(productive=1.0, lost=2.0)
    end = End(result=Cause.HANG, ledger=ended, at=a_run.START)
    unsaid = end.model_copy(update={"ledger": Ledger()})
    told = [Told(1, BEAT, end), Told(2, BEAT, unsaid), Told(3, BEAT, None), Told(4, None, unsaid)]
    assert ledgers(told, ()) == {1: ended, 2: a_run.LEDGER, 3: a_run.LEDGER}


def test_an_attempt_that_a_queue_let_in_again_is_told_by_all_its_writers() -> None:
    """Decided at 0, trained from 30 to 100, taken away, trained from 150 to 160, and on."""
    first = Ledger(starting=10.0, productive=60.0)
    end = End(result=Cause.TERMINATED, ledger=first, **after(100))
    beat = BEAT.model_copy(update={"ledger": Ledger(productive=10.0), **after(160)})
    earlier = BEAT.model_copy(update={"spikes_total": 7})
    told = [Told(1, earlier, end), Told(1, beat.model_copy(update={"spikes_total": 2}), None)]
    attempts = [AttemptRecord(number=1, started_at=a_run.START)]
    whole = Ledger(queued=30.0 + 50.0, starting=10.0, productive=70.0)
    assert ledgers(told, attempts)[1].model_dump() == pytest.approx(whole.model_dump())
    assert spikes_total(told) == 9


def test_clocks_that_differ_make_no_queue_of_less_than_nothing() -> None:
    beat = BEAT.model_copy(update={"ledger": Ledger(starting=10.0), **after(5)})
    attempts = [AttemptRecord(number=1, started_at=a_run.START)]
    assert ledgers([Told(1, beat, None)], attempts)[1] == Ledger(starting=10.0)


def test_accelerators_cost_while_their_processes_run() -> None:
    end = End(result=Cause.HANG, ledger=Ledger(lost=40.0), at=a_run.START)
    other = BEAT.model_copy(update={"accelerators": 16})
    unsaid = BEAT.model_copy(update={"accelerators": None})
    assert a_run.LEDGER.total == 200
    assert accelerator_seconds([Told(1, BEAT, end), Told(2, other, None)]) == 8 * 40 + 16 * 200
    assert accelerator_seconds([Told(1, BEAT, end), Told(2, unsaid, None)]) == 8 * 40
    assert accelerator_seconds([Told(1, unsaid, end), Told(2, None, end)]) is None


def test_activities_are_those_that_took_time() -> None:
    assert list(activities(Ledger(productive=3.0, waiting_for_data=1.0))) == [
        ("productive", 3.0, 0.75),
        ("waiting for data", 1.0, 0.25),
    ]
    assert list(activities(Ledger())) == []


def test_a_router_is_told_by_its_worst_layer() -> None:
    assert list(router_bands(a_run.ROUTER)) == [
        ("first half", 0.9, 0.3),
        ("second half", 1.0, 0.4),
    ]
    assert list(router_bands(RouterRecord(entropy=((),), busiest_share=((),)))) == []


def test_a_source_s_loss_is_told_of_the_first_and_the_last_tenth() -> None:
    history = a_run.history(20)
    told = [
        line.model_copy(update={"loss_by_source": {"long": float(line.step), "short": 2.0}})
        for line in history
    ]
    assert list(source_losses(told)) == [("long", 1.5, 19.5), ("short", 2.0, 2.0)]
    assert list(source_losses(history)) == []


def test_held_out_losses_are_told_of_the_first_checkpoint_and_the_last() -> None:
    first, last = a_run.held_out(0), a_run.held_out(a_run.BUDGET_TOKENS)
    assert list(held_out_bands(first, last)) == [
        ("long", "within the source context", 2.5, 2.5),
        ("long", "beyond it", 3.0, 2.0),
        ("short", "within the source context", 2.0, 2.0),
    ]
    fewer = first.model_copy(update={"cells": first.cells[:1]})
    assert [before for _, _, before, _ in held_out_bands(fewer, last)] == [2.5, None, None]


def test_a_spike_says_what_was_done() -> None:
    assert spike_sentence(a_run.SPIKE) == (
        "Step 90 (369 K tokens): the loss was 9, the median before it 3; its batch was left out."
    )
