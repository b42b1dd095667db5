"""Reading a run's objects in the store: each once, and none mistaken for another."""

from datetime import timedelta
from pathlib import Path

import a_run
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
from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.api.objects.journal import AttemptRecord, Control, Journal
from lccp.api.objects.report import EvaluationProgress, EvaluationReport
from lccp.api.objects.training import End
from lccp.api.objects.verdict import Verdict
from lccp.facts.facts import RunFacts
from lccp.facts.listing import Listing
from lccp.facts.reader import Keep, RunReader
from lccp.store.file import FileStore
from lccp.store.port import Store

MANIFEST = manifest_of(EVERY_TOKENS)
FIRST = (EVERY_TOKENS, INTRINSIC)
WHOLE = Keep[EvaluationReport, Verdict](lambda report: report, lambda verdict: verdict)
Reader = RunReader[EvaluationReport, Verdict]


def a_reader(store: Store) -> Reader:
    return RunReader(store, KEYS, WHOLE)


def read(reader: Reader) -> RunFacts[EvaluationReport, Verdict]:
    return reader.facts(reader.listing())


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

    facts = read(a_reader(store))

    assert facts.identity is None
    assert facts.holds_a_run
    assert {n: beat.tokens for n, beat in facts.heartbeats.items()} == {1: 10, 2: 20}
    assert facts.heartbeat == facts.heartbeats[2]
    assert facts.ends[1].result is Cause.TERMINATED
    assert facts.checkpoints[EVERY_TOKENS].digest == MANIFEST.digest
    assert facts.reports[FIRST].checkpoint_digest == MANIFEST.digest
    assert facts.progress[2 * EVERY_TOKENS, INTRINSIC].done == 1
    assert facts.drains == {2}
    assert facts.verdict == verdict_of([EVERY_TOKENS])
    assert facts.journal_etag is not None
    assert facts.damaged == {}


def test_an_empty_prefix_holds_nothing() -> None:
    facts = read(a_reader(MemoryStore()))

    assert not facts.holds_a_run
    assert (facts.journal, facts.journal_etag) == (Journal(), None)


def test_only_what_changed_is_read_again() -> None:
    store = MemoryStore()
    reader = a_reader(filled(store))
    before = read(reader)
    store.gets.clear()
    beat = heartbeat_of(2, 30, START + timedelta(seconds=30))
    store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    after = read(reader)

    assert store.gets == [KEYS.heartbeat(beat.writer)]
    assert after.heartbeats[2].tokens == 30
    assert after.reports[FIRST] is before.reports[FIRST]


def test_what_was_packed_is_not_read_again() -> None:
    store = MemoryStore()
    reader = a_reader(filled(store))
    before = read(reader)
    store.gets.clear()
    reader.pack()
    journal = Journal(finished_at=START)
    etag = store.put(KEYS.journal, journal.to_json())
    reader.remember(KEYS.journal, journal, etag)
    reader.pack()

    after = read(reader)

    assert store.gets == []
    assert after.journal == journal
    assert after.reports == before.reports
    assert (after.verdict, after.checkpoints) == (before.verdict, before.checkpoints)


def test_what_this_process_wrote_is_not_read() -> None:
    store = MemoryStore()
    reader = a_reader(store)
    journal = Journal(finished_at=START)
    reader.remember(KEYS.journal, journal, store.put_if_absent(KEYS.journal, journal.to_json()))

    facts = read(reader)

    assert (facts.journal, store.gets) == (journal, [])


def test_of_conditions_what_they_say_is_kept_and_damaged_ones_are_as_good_as_none() -> None:
    store, told = MemoryStore(), a_run.said()
    reader = a_reader(store)
    store.put(KEYS.conditions, told.to_json())
    assert read(reader).said == told.digest

    store.put(KEYS.conditions, b"{")
    facts = read(reader)
    assert (facts.said, facts.damaged) == (None, {})


def test_of_conditions_that_this_process_wrote_the_same_is_kept() -> None:
    store, told = MemoryStore(), a_run.said()
    reader = a_reader(store)
    reader.remember(KEYS.conditions, told, store.put(KEYS.conditions, told.to_json()))

    assert (read(reader).said, store.gets) == (told.digest, [])


def test_what_another_wrote_since_is_read() -> None:
    store = MemoryStore()
    reader = a_reader(store)
    etag = store.put_if_absent(KEYS.journal, Journal().to_json())
    reader.remember(KEYS.journal, Journal(), etag)
    theirs = Journal(finished_at=START)
    store.put_if_match(KEYS.journal, theirs.to_json(), etag)

    assert read(reader).journal == theirs


def test_the_newest_writer_of_an_attempt_counts() -> None:
    store = MemoryStore()
    for unique, tokens in (("00000002", 10), ("00000001", 5)):
        beat = heartbeat_of(1, tokens, START + timedelta(seconds=tokens))
        store.put(KEYS.heartbeat(f"a1-{unique}"), beat.to_json())

    assert read(a_reader(store)).heartbeats[1].tokens == 5


def test_an_attempt_that_a_queue_let_in_again_has_not_ended() -> None:
    store = MemoryStore()
    ended = KEYS.end("a1-00000002")
    store.put(ended, End(result=Cause.TERMINATED, at=START).to_json())
    assert read(a_reader(store)).ends.keys() == {1}

    beat = heartbeat_of(1, 5, START + timedelta(seconds=5))
    store.put(KEYS.heartbeat("a1-00000001"), beat.to_json())

    assert read(a_reader(store)).ends == {}


def test_branches_tell_by_their_attempts_and_the_runs_progress_is_its_own() -> None:
    store = MemoryStore()
    branch, end = KEYS.branch(EVERY_TOKENS), 2 * EVERY_TOKENS
    own, beat = heartbeat_of(1, 5 * EVERY_TOKENS, START), heartbeat_of(2, end, START)
    store.put(KEYS.heartbeat(own.writer), own.to_json())
    store.put(branch.heartbeat(beat.writer), beat.to_json())
    store.put(branch.end(beat.writer), End(result=Cause.COMPLETED, at=START).to_json())
    store.put(branch.checkpoint_manifest(end), manifest_of(end).to_json())
    attempts = (
        AttemptRecord(number=1, started_at=START),
        AttemptRecord(number=2, branch=EVERY_TOKENS, started_at=START),
    )
    store.put(KEYS.journal, Journal(attempts=attempts).to_json())

    reader = a_reader(store)
    facts = read(reader)
    told = reader.read(reader.listing(), lambda one: one.of_writers())

    assert {writer: one.attempt for writer, one in told.items()} == {own.writer: 1, beat.writer: 2}
    assert facts.heartbeats == {1: own, 2: beat}
    assert facts.ends.keys() == {2}
    assert facts.heartbeat == own
    assert facts.checkpoints == {}
    assert facts.branches[EVERY_TOKENS].digest == manifest_of(end).digest
    assert facts.evaluated((EVERY_TOKENS, ANNEAL)) == facts.branches[EVERY_TOKENS]
    assert facts.evaluated((EVERY_TOKENS, INTRINSIC)) is None


def test_an_older_attempt_that_still_beats_says_nothing_of_the_run() -> None:
    store = MemoryStore()
    for attempt, seconds in ((2, 10), (1, 20)):
        beat = heartbeat_of(attempt, seconds, START + timedelta(seconds=seconds))
        store.put(KEYS.heartbeat(beat.writer), beat.to_json())

    newest = read(a_reader(store)).heartbeat

    assert newest is not None
    assert newest.attempt == 2


def test_a_damaged_object_is_named_and_the_rest_is_read() -> None:
    store = MemoryStore()
    reader = a_reader(filled(store))
    store.put(KEYS.report(EVERY_TOKENS), b"{")
    store.put(KEYS.checkpoint_manifest(2 * EVERY_TOKENS), b"{}")

    for _ in range(2):
        facts = read(reader)
        sentence = f"{KEYS.report(EVERY_TOKENS)}: is not JSON: it is damaged or cut short"
        assert facts.damaged_reports == {FIRST: sentence}
        assert set(facts.damaged) == {
            KEYS.report(EVERY_TOKENS),
            KEYS.checkpoint_manifest(2 * EVERY_TOKENS),
        }
        assert set(facts.checkpoints) == {EVERY_TOKENS}


def test_a_damaged_verdict_is_made_anew() -> None:
    store = filled(MemoryStore())
    store.put(KEYS.verdict, b"{")

    facts = read(a_reader(store))

    assert (facts.verdict, facts.damaged) == (None, {})


def test_an_object_about_something_else_than_its_key_says_is_damaged() -> None:
    store = filled(MemoryStore())
    store.put(KEYS.report(3 * EVERY_TOKENS), report_of(MANIFEST).to_json())
    store.put(KEYS.report(EVERY_TOKENS, "other"), report_of(MANIFEST).to_json())
    store.put(KEYS.checkpoint_manifest(3 * EVERY_TOKENS), MANIFEST.to_json())

    facts = read(a_reader(store))

    assert set(facts.reports) == {FIRST}
    assert set(facts.checkpoints) == {EVERY_TOKENS}
    assert len(facts.damaged) == 3
    assert set(facts.damaged_reports) == {(3 * EVERY_TOKENS, INTRINSIC), (EVERY_TOKENS, "other")}


def test_reports_are_told_apart_by_suite() -> None:
    store = filled(MemoryStore())
    other = report_of(MANIFEST).model_copy(update={"suite": "ruler"})
    store.put(KEYS.report(EVERY_TOKENS, "ruler"), other.to_json())

    assert set(read(a_reader(store)).reports) == {FIRST, (EVERY_TOKENS, "ruler")}


def test_a_state_counts_where_there_is_no_checkpoint() -> None:
    store = MemoryStore()
    assert not read(a_reader(store)).holds_progress
    store.put(KEYS.state_manifest(10), b"{}")

    assert read(a_reader(store)).holds_progress


def test_a_listing_of_the_whole_store_serves_as_well() -> None:
    store = filled(MemoryStore())
    store.put("default/tiny-2/run.json", b"another run's")
    infos = [info for info in store.list("") if info.key.startswith(KEYS.prefix)]

    facts = a_reader(store).facts(Listing(KEYS, infos))

    assert facts == read(a_reader(store))


def test_of_a_report_that_is_kept_in_short_nothing_else_is_held() -> None:
    keep = Keep(lambda report: report.tokens, lambda verdict: verdict.state)
    reader = RunReader(filled(MemoryStore()), KEYS, keep)

    facts = reader.facts(reader.listing())

    assert facts.reports == {FIRST: EVERY_TOKENS}
    assert facts.verdict is verdict_of([EVERY_TOKENS]).state
