"""Objects of a run, found by one listing of the store."""

from datetime import UTC, datetime, timedelta

import pytest
from operator_world import MemoryStore

from lccp.facts.listing import Listing, attempt_of
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, StoreLevel

KEYS = RunKeys("ns", "run")
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def a_listing(*keys: str) -> Listing:
    """Each object was written a second after the one before."""
    infos = [
        ObjectInfo(key, 1, "e", NOW + timedelta(seconds=second)) for second, key in enumerate(keys)
    ]
    return Listing(KEYS, infos)


def test_what_lies_below_is_found_by_key() -> None:
    listing = a_listing("ns/run/b/2", "ns/run/a", "ns/run/b/1", "ns/run/c")

    assert [info.key for info in listing.below("ns/run/b/")] == ["ns/run/b/1", "ns/run/b/2"]
    assert list(listing.below("ns/run/d")) == []
    assert listing.get("ns/run/a") is not None
    assert listing.get("ns/run/b") is None


class Listed(MemoryStore):
    """It notes what is listed."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.listed: list[str] = []
        self.levels: list[str] = []
        for key in keys:
            self.put(key, b"{}")

    def level(self, prefix: str) -> StoreLevel:
        self.levels.append(prefix)
        return super().level(prefix)

    def list(self, prefix: str) -> list[ObjectInfo]:
        self.listed.append(prefix)
        return super().list(prefix)


RUN = (KEYS.identity, KEYS.control(1), KEYS.checkpoint_manifest(7), KEYS.state_manifest(7))


def test_a_run_of_one_page_takes_one_listing() -> None:
    store = Listed(*RUN, "ns/run-2/run.json")

    listing = Listing.of(store, KEYS)

    assert (store.listed, store.levels) == ([KEYS.prefix], [])
    assert [info.key for info in listing.below("")] == sorted(RUN)


def test_of_the_states_of_a_run_of_many_objects_only_the_newest_complete_one_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The files of hundreds of processes would be listed with them."""
    monkeypatch.setattr("lccp.facts.listing.PAGE_OBJECTS", len(RUN))
    incomplete, older = f"{KEYS.state(9, 'a1-0123abcd')}rank-00000", KEYS.state_manifest(5)
    store = Listed(*RUN, older, incomplete, f"{KEYS.states}notes/manifest.json")

    listing = Listing.of(store, KEYS)

    assert {KEYS.controls, KEYS.checkpoints} < {*store.listed}
    assert store.levels == [KEYS.prefix, KEYS.states]
    assert [info.key for info in listing.below("")] == sorted(RUN)
    assert listing.newest_state() == 7


def test_the_newest_state_is_the_newest_complete_one() -> None:
    below = (KEYS.state_manifest(9), KEYS.state_manifest(8), KEYS.state(10, "a1-0123abcd") + "x")

    assert a_listing(*below).newest_state() == 9
    assert a_listing(*RUN[:3]).newest_state() is None


@pytest.mark.parametrize("states", [(), (KEYS.state(9, "a1-0123abcd") + "x",)])
def test_a_run_of_many_objects_may_have_no_complete_state(
    states: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lccp.facts.listing.PAGE_OBJECTS", 1)

    assert Listing.of(Listed(*RUN[:3], *states), KEYS).newest_state() is None


def test_controls_are_told_by_their_attempt() -> None:
    listing = a_listing(KEYS.control(2), KEYS.control(10), f"{KEYS.controls}x.json")

    assert set(listing.controls()) == {2, 10}


def test_a_manifest_is_that_of_a_checkpoint_not_of_what_lies_deeper() -> None:
    listing = a_listing(
        KEYS.checkpoint_manifest(7),
        f"{KEYS.checkpoint(8, 'a1-0123abcd')}manifest.json",
        f"{KEYS.checkpoints}notes/manifest.json",
    )

    assert set(listing.manifests(KEYS.checkpoints)) == {7}


def test_evaluations_are_told_by_tokens_and_suite() -> None:
    listing = a_listing(
        KEYS.report(5), KEYS.report(5, "lm-eval"), KEYS.evaluation_progress(6), f"{KEYS.report(7)}x"
    )

    assert set(listing.evaluations("report.json")) == {(5, "intrinsic"), (5, "lm-eval")}


def test_writers_come_by_attempt_and_the_last_to_write_last() -> None:
    listing = a_listing(
        KEYS.heartbeat("a10-00000000"),
        KEYS.heartbeat("a2-ffffffff"),
        KEYS.history("a2-00000000"),
        KEYS.heartbeat("notes"),
    )

    assert listing.writers() == ["a2-ffffffff", "a2-00000000", "a10-00000000"]
    assert list(listing.of_writers("heartbeat.json")) == ["a2-ffffffff", "a10-00000000"]


@pytest.mark.parametrize(
    ("writer", "attempt"), [("a12-0f", 12), ("a0-0f", 0), ("b1-0f", 0), ("", 0)]
)
def test_a_writer_is_named_after_its_attempt(writer: str, attempt: int) -> None:
    assert attempt_of(writer) == attempt
