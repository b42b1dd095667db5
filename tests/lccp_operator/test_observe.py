"""What the store holds of a run, as it is read."""

from datetime import timedelta
from pathlib import Path
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
    verdict_of,
)

from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.report import EvaluationProgress
from lccp.api.objects.training import End
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.store.file import FileStore
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
    """A run with two attempts, one checkpoint, its report and its verdict."""
    for attempt, tokens in ((1, 10), (2, 20)):
        beat = heartbeat_of(attempt, tokens, START + timedelta(seconds=tokens))
        store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    end = End(result=Cause.TERMINATED, at=START)
    store.put(KEYS.end("a1-00000001"), end.to_json())
    store.put(KEYS.history("a1-00000001"), b"not read")
    store.put(KEYS.checkpoint_manifest(EVERY_TOKENS), MANIFEST.to_json())
    store.put(f"{KEYS.checkpoint(EVERY_TOKENS, 'a1-00000001')}manifest.json", b"not a manifest")
    store.put(KEYS.report(EVERY_TOKENS), report_of(MANIFEST).to_json())
    progress = EvaluationProgress(done=1, total=2, at=START)
    store.put(KEYS.evaluation_progress(2 * EVERY_TOKENS), progress.to_json())
    store.put(KEYS.control(2), Control(request="Drain").to_json())
    store.put(KEYS.verdict, verdict_of([EVERY_TOKENS]).to_json())
    store.put_if_absent(KEYS.journal, Journal().to_json())
    return store


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_everything_that_the_plan_needs_is_read(kind: str, tmp_path: Path) -> None:
    store = filled(MemoryStore() if kind == "memory" else FileStore(tmp_path))

    facts = StoreObserver(store, KEYS).facts()

    assert facts.identity is None
    assert facts.holds_a_run
    assert {n: beat.tokens for n, beat in facts.heartbeats.items()} == {1: 10, 2: 20}
    assert facts.heartbeat == facts.heartbeats[2]
    assert facts.ends[1].result is Cause.TERMINATED
    assert facts.checkpoints == {EVERY_TOKENS: MANIFEST}
    assert facts.reports[EVERY_TOKENS].checkpoint_digest == MANIFEST.digest
    assert facts.progress[2 * EVERY_TOKENS].done == 1
    assert facts.drains == {2}
    assert facts.verdict == verdict_of([EVERY_TOKENS])
    assert facts.journal_etag is not None
    assert facts.damaged == {}


def test_an_empty_prefix_holds_nothing() -> None:
    facts = StoreObserver(MemoryStore(), KEYS).facts()

    assert not facts.holds_a_run
    assert (facts.journal, facts.journal_etag) == (Journal(), None)


def test_only_what_changed_is_read_again() -> None:
    store = MemoryStore()
    observer = StoreObserver(filled(store), KEYS)
    before = observer.facts()
    store.gets.clear()
    beat = heartbeat_of(2, 30, START + timedelta(seconds=30))
    store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    after = observer.facts()

    assert store.gets == [KEYS.heartbeat(beat.writer)]
    assert after.heartbeats[2].tokens == 30
    assert after.reports[EVERY_TOKENS] is before.reports[EVERY_TOKENS]


def test_what_this_process_wrote_is_not_read() -> None:
    store = MemoryStore()
    observer = StoreObserver(store, KEYS)
    journal = Journal(finished_at=START)
    observer.remember(KEYS.journal, journal, store.put_if_absent(KEYS.journal, journal.to_json()))

    facts = observer.facts()

    assert (facts.journal, store.gets) == (journal, [])


def test_what_another_wrote_since_is_read() -> None:
    store = MemoryStore()
    observer = StoreObserver(store, KEYS)
    etag = store.put_if_absent(KEYS.journal, Journal().to_json())
    observer.remember(KEYS.journal, Journal(), etag)
    theirs = Journal(finished_at=START)
    store.put_if_match(KEYS.journal, theirs.to_json(), etag)

    assert observer.facts().journal == theirs


def test_the_newest_writer_of_an_attempt_counts() -> None:
    store = MemoryStore()
    for unique, tokens in (("00000002", 10), ("00000001", 5)):
        beat = heartbeat_of(1, tokens, START + timedelta(seconds=tokens))
        store.put(KEYS.heartbeat(f"a1-{unique}"), beat.to_json())

    assert StoreObserver(store, KEYS).facts().heartbeats[1].tokens == 5


def test_an_older_attempt_that_still_beats_says_nothing_of_the_run() -> None:
    store = MemoryStore()
    for attempt, seconds in ((2, 10), (1, 20)):
        beat = heartbeat_of(attempt, seconds, START + timedelta(seconds=seconds))
        store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    newest = StoreObserver(store, KEYS).facts().heartbeat

    assert newest is not None
    assert newest.attempt == 2


def test_a_damaged_object_is_named_and_the_rest_is_read() -> None:
    store = MemoryStore()
    observer = StoreObserver(filled(store), KEYS)
    store.put(KEYS.report(EVERY_TOKENS), b"{")
    store.put(KEYS.checkpoint_manifest(2 * EVERY_TOKENS), b"{}")

    for _ in range(2):
        facts = observer.facts()
        sentence = f"{KEYS.report(EVERY_TOKENS)}: is not JSON: it is damaged or cut short"
        assert facts.damaged_reports == {EVERY_TOKENS: sentence}
        assert set(facts.damaged) == {
            KEYS.report(EVERY_TOKENS),
            KEYS.checkpoint_manifest(2 * EVERY_TOKENS),
        }
        assert set(facts.checkpoints) == {EVERY_TOKENS}


def test_a_damaged_verdict_is_made_anew() -> None:
    store = filled(MemoryStore())
    store.put(KEYS.verdict, b"{")

    facts = StoreObserver(store, KEYS).facts()

    assert (facts.verdict, facts.damaged) == (None, {})


def test_a_damaged_journal_is_never_read_as_empty() -> None:
    store = filled(MemoryStore())
    store.put(KEYS.journal, b"{")
    observer = StoreObserver(store, KEYS)

    with pytest.raises(InvalidInput, match=r"journal\.json: is not JSON"):
        observer.facts()
    assert isinstance(observer.part(START), Unknown)


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
    observer.facts()
    store.gets.clear()

    assert not observer.moved()
    beat = heartbeat_of(2, 30, START + timedelta(seconds=30))
    store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    assert observer.moved()
    assert store.gets == []


def test_a_store_that_did_not_answer_is_not_asked_twice_in_one_reconcile() -> None:
    store = SilentStore()
    observer = StoreObserver(filled(store), KEYS)
    observer.facts()
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
    before = observer.facts()

    observer.forget()

    assert not observer.moved()
    assert observer.facts() == before
