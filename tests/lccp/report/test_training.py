"""What the trainers reported, in words and rows."""

from datetime import timedelta

import a_run

from lccp.api.causes import Cause
from lccp.api.objects.training import End, Ledger, RouterRecord
from lccp.facts.facts import Told
from lccp.report.training import (
    accelerator_seconds,
    activities,
    attempt_time,
    held_out_bands,
    router_bands,
    source_losses,
    spike_sentence,
    spikes_total,
)

BEAT = a_run.heartbeat()


def after(seconds: float) -> dict[str, object]:
    return {"at": a_run.START + timedelta(seconds=seconds)}


def test_accelerators_cost_while_their_processes_run() -> None:
    end = End(result=Cause.HANG, ledger=Ledger(lost=40.0), at=a_run.START)
    other = BEAT.model_copy(update={"accelerators": 16})
    unsaid = BEAT.model_copy(update={"accelerators": None})
    assert a_run.LEDGER.total == 200
    assert accelerator_seconds([Told(1, BEAT, end), Told(2, other, None)]) == 8 * 40 + 16 * 200
    assert accelerator_seconds([Told(1, BEAT, end), Told(2, unsaid, None)]) == 8 * 40
    assert accelerator_seconds([Told(1, unsaid, end), Told(2, None, end)]) is None


def test_spikes_of_all_writers_are_counted() -> None:
    told = [Told(1, BEAT.model_copy(update={"spikes_total": n}), None) for n in (7, 2)]
    assert spikes_total([*told, Told(2, None, None)]) == 9


def test_activities_are_those_that_took_time() -> None:
    assert list(activities(Ledger(productive=3.0, waiting_for_data=1.0))) == [
        ("productive", 3.0, 0.75),
        ("waiting for data", 1.0, 0.25),
    ]
    assert list(activities(Ledger())) == []


def test_an_ended_attempt_says_where_its_time_went() -> None:
    seconds = {"queued": 30, "waitingForData": 90, "unknownYet": 1}
    ended = a_run.journal().attempts[0].model_copy(update={"seconds": seconds})
    assert attempt_time(ended) == "queued 30 s, waiting for data 1 min 30 s"
    assert attempt_time(ended.model_copy(update={"seconds": {}})) == ""


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
