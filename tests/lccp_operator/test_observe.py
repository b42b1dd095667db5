"""One run's part of a store, as the operator observes it."""

import gc
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    START,
    MemoryStore,
    heartbeat_of,
    manifest_of,
    report_of,
)

from lccp.api.conditions import Reason
from lccp.api.objects.journal import Journal
from lccp.contract.errors import StoreUnavailable
from lccp.store.port import Store
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import Known, Unknown

MANIFEST = manifest_of(EVERY_TOKENS)


class SilentStore(MemoryStore):
    """A store that stops answering."""

    silent = False

    def list(self, prefix: str) -> Any:
        if self.silent:
            raise StoreUnavailable("store memory:// does not answer")
        return super().list(prefix)


def filled(store: Store) -> Store:
    """A run that trains, with a checkpoint and its report."""
    beat = heartbeat_of(1, 10, START)
    store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    store.put(KEYS.checkpoint_manifest(EVERY_TOKENS), MANIFEST.to_json())
    store.put(KEYS.report(EVERY_TOKENS), report_of(MANIFEST).to_json())
    store.put_if_absent(KEYS.journal, Journal().to_json())
    return store


def test_a_damaged_journal_is_never_read_as_empty() -> None:
    store = filled(MemoryStore())
    store.put(KEYS.journal, b"{")
    observer = StoreObserver(store, KEYS)

    part = observer.part(START)

    assert isinstance(part, Unknown)
    assert part.reason is Reason.STORED_OBJECT_DAMAGED
    assert part.why.startswith(f"{KEYS.journal}: is not JSON: it is damaged or cut short: nothing")


def test_a_run_of_a_newer_lccp_is_told_as_what_it_is() -> None:
    store = filled(MemoryStore())
    store.put(KEYS.identity, b'{"schemaVersion": 99}')

    part = StoreObserver(store, KEYS).part(START)

    assert isinstance(part, Unknown)
    assert part.reason is Reason.STORED_OBJECT_DAMAGED
    assert "has schema version 99" in part.why
    assert "use the LCCP that wrote it" in part.why


def test_a_silent_store_is_unknown_since_it_fell_silent() -> None:
    store = SilentStore()
    observer = StoreObserver(filled(store), KEYS)
    store.silent = True

    observer.part(START)
    later = observer.part(START + timedelta(seconds=60))

    assert isinstance(later, Unknown)
    assert (later.since, later.reason) == (START, Reason.STORE_UNREACHABLE)
    assert later.why.startswith("store memory:// does not answer: ")
    store.silent = False
    assert isinstance(observer.part(START), Known)


def test_one_list_tells_whether_a_trainer_wrote_anything() -> None:
    store = MemoryStore()
    observer = StoreObserver(filled(store), KEYS)
    assert observer.moved()
    observer.part(START)
    store.gets.clear()

    assert not observer.moved()
    beat = heartbeat_of(2, 30, START + timedelta(seconds=30))
    store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    assert observer.moved()
    assert store.gets == []


@pytest.mark.parametrize(
    "key", [KEYS.report(EVERY_TOKENS), KEYS.checkpoint_manifest(EVERY_TOKENS), KEYS.journal]
)
@pytest.mark.parametrize("edited", [False, True], ids=["deleted", "edited"])
def test_one_list_tells_whether_anything_of_an_idle_run_changed(key: str, edited: bool) -> None:
    store = MemoryStore()
    observer = StoreObserver(filled(store), KEYS)
    observer.part(START)
    store.gets.clear()

    assert not observer.moved(idle=True)
    if edited:
        store.put(key, b"{}")
    else:
        store.delete(key)

    assert observer.moved(idle=True)
    assert not observer.moved()
    assert store.gets == []


@pytest.mark.long
def test_what_is_not_needed_soon_takes_less_memory() -> None:
    store = MemoryStore()
    for n in range(1, 21):
        manifest = manifest_of(n * EVERY_TOKENS)
        store.put(KEYS.checkpoint_manifest(manifest.tokens), manifest.to_json())
        store.put(KEYS.report(manifest.tokens), report_of(manifest).to_json())
    observers = [StoreObserver(store, KEYS) for _ in range(10)]
    observers[0].part(START)

    def growth(do: Callable[[StoreObserver], object]) -> int:
        tracemalloc.start()
        for observer in observers[1:]:
            do(observer)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return grown

    def observed_and_packed(observer: StoreObserver) -> None:
        observer.part(START)
        observer.pack()

    kept = growth(lambda observer: observer.part(START))
    for observer in observers:
        observer.forget()
    assert growth(observed_and_packed) < 0.75 * kept


def test_a_store_that_did_not_answer_is_not_asked_twice_in_one_reconcile() -> None:
    store = SilentStore()
    observer = StoreObserver(filled(store), KEYS)
    observer.part(START)
    store.silent = True
    assert observer.moved()
    store.silent = False

    unknown = observer.part(START)
    assert isinstance(unknown, Unknown)
    assert unknown.since == START
    assert "does not answer" in unknown.why
    assert isinstance(observer.part(START), Known)


def test_what_was_forgotten_is_read_again() -> None:
    store = MemoryStore()
    observer = StoreObserver(filled(store), KEYS)
    before = observer.part(START)

    observer.forget()

    assert not observer.moved()
    assert observer.part(START) == before
