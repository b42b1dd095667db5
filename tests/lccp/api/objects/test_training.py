"""Where the wall time of attempts went."""

import pytest

from lccp.api.objects.training import Ledger


def test_goodput_is_the_productive_share_of_all_seconds_that_were_not_waited_in_a_queue() -> None:
    ledger = Ledger(queued=10, starting=3, productive=12, lost=3, hanging=4, ending=2)

    assert ledger.total == 34
    assert ledger.goodput == 0.5
    assert Ledger().goodput is Ledger(queued=5).goodput is None


def test_ledgers_add_up_activity_by_activity() -> None:
    ledgers = [Ledger(productive=1, saving=2), Ledger(productive=3, waiting_for_data=4), Ledger()]

    assert Ledger.of_all(ledgers) == Ledger(productive=4, saving=2, waiting_for_data=4)
    assert Ledger.of_all([]) == Ledger()


@pytest.mark.parametrize("activity", Ledger.model_fields)
def test_every_activity_counts(activity: str) -> None:
    assert Ledger(**{activity: 1.5}).total == 1.5
