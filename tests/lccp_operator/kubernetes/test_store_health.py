"""Outages of a store, seen once for all runs in it."""

from datetime import datetime

import pytest
from operator_world import MemoryStore

from lccp.api.conditions import Reason
from lccp.contract.errors import InvalidInput, LccpError, StoreUnavailable
from lccp.store.port import ObjectInfo
from lccp_operator.kubernetes.store_health import StoreHealth


class Moody(MemoryStore):
    """A store that fails as it is told."""

    failure: LccpError | None = None

    def list(self, prefix: str) -> list[ObjectInfo]:
        if self.failure is not None:
            raise self.failure
        return super().list(prefix)


def asked(*failures: LccpError | None) -> tuple[StoreHealth, list[datetime | None]]:
    """The health after asking once for each of them, and the outages that were told."""
    store, told = Moody(), list[datetime | None]()
    health = StoreHealth(store, lambda health: told.append(health.outage and health.outage.since))
    for store.failure in failures:
        health.ask()
    return health, told


SILENT = StoreUnavailable("store memory:// does not answer: refused")


def test_an_outage_is_told_once_with_its_beginning_and_its_end() -> None:
    _, told = asked(None, SILENT, StoreUnavailable("other words"), None, None)

    assert len(told) == 2
    assert told[0] is not None
    assert told[1] is None


def test_an_outage_says_since_when_and_what_then() -> None:
    first, (began,) = asked(SILENT)
    assert first.outage is not None
    first.ask()

    outage = first.outage
    assert (outage.since, outage.reason) == (began, Reason.STORE_UNREACHABLE)
    assert outage.why.startswith("store memory:// does not answer: refused: nothing is started")
    assert outage.watched


@pytest.mark.parametrize("before", [None, SILENT], ids=["it answered", "it did not"])
def test_a_refusal_is_an_answer(before: LccpError | None) -> None:
    health, _ = asked(before, InvalidInput("store memory:// refuses"))

    assert health.outage is None
