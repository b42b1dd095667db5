"""What the trainers told, in words and rows."""

import a_run

from lccp.api.causes import Cause
from lccp.api.objects.training import End, Ledger, RouterRecord
from lccp.report.training import activities, ledgers, router_bands, spike_sentence

BEAT = a_run.heartbeat()


def test_an_attempt_that_ended_is_told_by_its_end() -> None:
    ended = Ledger(productive=1.0, lost=2.0)
    end = End(result=Cause.HANG, ledger=ended, at=a_run.START)
    unsaid = end.model_copy(update={"ledger": Ledger()})
    assert ledgers({1: BEAT, 2: BEAT, 3: BEAT}, {1: end, 2: unsaid}) == {
        1: ended,
        2: a_run.LEDGER,
        3: a_run.LEDGER,
    }


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


def test_a_spike_says_what_was_done() -> None:
    assert spike_sentence(a_run.SPIKE) == (
        "Step 90 (369 K tokens): the loss was 9, the median before it 3; its batch was left out."
    )
