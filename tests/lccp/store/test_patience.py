"""Waiting for a store."""

import pytest

from lccp.contract.errors import InvalidInput, StoreRefused, StoreUnavailable
from lccp.store.patience import patiently


class Flaky:
    """Fails a number of times before it answers."""

    def __init__(self, failures: int, error: type[Exception] = StoreUnavailable) -> None:
        self.calls = 0
        self._failures, self._error = failures, error

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error("store s3://x does not answer")
        return "done"


def test_an_unreachable_store_is_asked_again_with_growing_pauses() -> None:
    pauses: list[float] = []
    assert patiently(Flaky(7), sleep=pauses.append) == "done"
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_what_an_unreachable_store_says_is_told_until_it_answers() -> None:
    told: list[str | None] = []
    patiently(Flaky(2), sleep=lambda _: None, tell=told.append)
    assert told == ["store s3://x does not answer"] * 2 + [None]


def test_patience_ends() -> None:
    call = Flaky(100)
    with pytest.raises(StoreUnavailable):
        patiently(call, patience_seconds=0.5, sleep=lambda _: None)
    assert call.calls == 1


def test_keys_that_are_refused_may_be_replaced_meanwhile() -> None:
    assert patiently(Flaky(3, StoreRefused), sleep=lambda _: None) == "done"


def test_what_can_never_be_stored_is_not_tried_again() -> None:
    def refuse() -> None:
        raise InvalidInput("store s3://x: key too long")

    with pytest.raises(InvalidInput):
        patiently(refuse, sleep=lambda _: pytest.fail("asked again"))
