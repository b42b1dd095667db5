"""Which runs are shown, and what is known of a store that fails."""

import json
import pkgutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import a_run
import pytest
from monitoring import until
from recorded_store import RecordedStore
from scraped import Scraped

from lccp.api.objects.journal import Acceptance
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter.exposition import Lines, lines
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.reading import StoreReader
from lccp_exporter.refresh import Refresher, Runs, StoreWatch

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
RUN = {"namespace": "default", "run": "tiny"}
NAMES = ("tiny", "other")


@pytest.fixture
def store(tmp_path: Path) -> RecordedStore:
    store = RecordedStore(tmp_path / "runs")
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[6], at=NOW))
    return store


def test_a_finished_run_keeps_its_series_for_a_while(store: FileStore) -> None:
    journal = a_run.journal().model_copy(update={"finished_at": NOW})
    store.put(a_run.KEYS.journal, journal.to_json())
    shown = {}
    for age in (timedelta(hours=23), timedelta(hours=25)):
        watch = StoreWatch("default", store, DAY, now=lambda age=age: NOW + age)
        watch.refresh()
        shown[age.total_seconds() / 3600] = len(watch.runs)
    assert shown == {23: 1, 25: 0}


def test_the_series_of_a_retained_run_end_with_its_object(
    store: FileStore, watch: StoreWatch
) -> None:
    owner = Acceptance(run_uid="1", at=NOW, earlier_attempts=0)
    journal = a_run.journal(stopped=False)
    shown = {}
    for name, accepted in {
        "deleted": owner.model_copy(update={"deleted_at": NOW}),
        "applied again": owner.model_copy(update={"run_uid": "2"}),
    }.items():
        told = journal.model_copy(update={"accepted": accepted})
        store.put(a_run.KEYS.journal, told.to_json())
        watch.refresh()
        shown[name] = len(Scraped.of(Runs([watch])).samples("lccp_run_info"))
    assert shown == {"deleted": 0, "applied again": 1}


def test_a_store_that_fails_keeps_its_runs_and_is_counted(
    store: RecordedStore, watch: StoreWatch
) -> None:
    before, runs = watch.health, watch.runs
    store.answers = False
    watch.refresh()
    assert watch.runs == runs != {}
    assert (watch.health.errors, watch.health.refreshed_at) == (1, before.refreshed_at)


def test_a_store_that_was_never_read_has_been_away_since_the_exporter_began(
    store: RecordedStore,
) -> None:
    """So that an alert on its age has a value."""
    store.answers = False
    watch = StoreWatch("default", store, DAY, now=lambda: NOW)
    watch.refresh()
    read_at = "lccp_exporter_store_refresh_timestamp_seconds"
    assert Scraped.of(Runs([watch])).value(read_at, store="default") == NOW.timestamp()


def test_of_a_run_in_two_stores_the_one_trained_last_is_shown(
    tmp_path: Path, watch: StoreWatch
) -> None:
    moved = FileStore(tmp_path / "moved")
    a_run.put(moved, a_run.running(a_run.CHECKPOINTS[8], at=NOW + timedelta(hours=1)))
    newer = StoreWatch("moved", moved, DAY, now=lambda: NOW)
    newer.refresh()
    runs = Runs([watch, newer])
    assert Scraped.of(runs).value("lccp_trained_tokens", **RUN) == a_run.CHECKPOINTS[8]
    found = runs.get("default", "tiny")
    assert found is not None
    assert found.store is moved


def test_series_die_with_their_run(store: FileStore, watch: StoreWatch) -> None:
    assert Scraped.of(Runs([watch])).value("lccp_trained_tokens", **RUN) is not None
    store.delete(a_run.KEYS.identity)
    watch.refresh()
    left = Scraped.of(Runs([watch]))
    assert [s for family in left.families for s in family.samples if "run" in s.labels] == []


def test_lines_that_say_the_same_are_kept_once(store: FileStore, watch: StoreWatch) -> None:
    before = watch.runs["default", "tiny"].lines
    beat = a_run.heartbeat(a_run.CHECKPOINTS[6], NOW).model_copy(update={"loss": 2.5})
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), beat.to_json())
    watch.refresh()
    now = watch.runs["default", "tiny"].lines
    changed = [new for old, new in zip(before, now, strict=True) if old is not new]
    assert [line.split(b"{")[0] for line in changed] == [b"lccp_training_loss"]


HUGE = {"step": 10**400, "tokens": -(10**400), "tokensTotal": 2**63, "peakMemoryBytes": 10**400}


@pytest.mark.parametrize("field", HUGE)
def test_a_number_that_no_reader_takes_is_damage(
    store: FileStore, watch: StoreWatch, field: str
) -> None:
    key = a_run.KEYS.heartbeat(a_run.WRITER)
    beat = a_run.heartbeat(a_run.CHECKPOINTS[6], NOW).document() | {field: HUGE[field]}
    store.put(key, json.dumps(beat).encode())

    watch.refresh()

    assert watch.health.errors == 0
    assert Scraped.of(Runs([watch])).value("lccp_unreadable_objects", **RUN) == 1


@pytest.mark.parametrize("at", ["2026-01-05T09:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_can_not_be_placed_is_damage(
    store: FileStore, watch: StoreWatch, at: str
) -> None:
    journal = a_run.journal().document() | {"finishedAt": at}
    store.put(a_run.KEYS.journal, json.dumps(journal).encode())

    watch.refresh()

    assert watch.health.errors == 0
    assert Scraped.of(Runs([watch])).value("lccp_unreadable_objects", **RUN) == 1


@pytest.mark.parametrize(
    "broken", ["lccp_exporter.refresh.lines", "lccp_exporter.reading.spikes_total"]
)
def test_a_run_at_which_the_exporter_fails_is_left_out_and_others_are_not(
    store: FileStore, watch: StoreWatch, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    works, calls = pkgutil.resolve_name(broken), iter([True])

    def fails_once(*given: Any) -> Any:
        if next(calls, False):
            raise ZeroDivisionError
        return works(*given)

    other = a_run.running(a_run.CHECKPOINTS[6], at=NOW)
    a_run.put(store, other, RunKeys("default", "other"))
    beat = a_run.heartbeat(a_run.CHECKPOINTS[5], NOW)
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), beat.to_json())
    monkeypatch.setattr(broken, fails_once)
    watch.refresh()

    runs = Scraped.of(Runs([watch]))
    unreadable = [runs.value("lccp_unreadable_objects", **RUN | {"run": name}) for name in NAMES]
    assert sorted(unreadable) == [0, 1]

    watch.refresh()
    runs = Scraped.of(Runs([watch]))
    assert runs.value("lccp_trained_tokens", **RUN) == a_run.CHECKPOINTS[5]


def test_a_run_that_is_left_out_is_not_tried_and_logged_again_until_it_changes(
    store: FileStore,
    watch: StoreWatch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    works = lines

    def fails(facts: ExportedFacts) -> Lines:
        return works(facts) if facts.unreadable_objects else ((1 // 0),)

    monkeypatch.setattr("lccp_exporter.refresh.lines", fails)
    beat = a_run.heartbeat(a_run.CHECKPOINTS[5], NOW)
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), beat.to_json())
    for _ in range(3):
        watch.refresh()

    assert caplog.text.count("the run default/tiny is left out") == 1


def test_an_error_that_nothing_foresees_is_counted_and_reading_goes_on(
    watch: StoreWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(StoreReader, "runs", fails)
        refresher = Refresher({"default": watch}, 0.01)
        refresher.start()
        assert until(lambda: watch.health.errors > 2, 20)
    assert until(lambda: watch.health.runs == 1, 20)
    refresher.close()


def test_a_refresher_reads_until_it_is_closed(watch: StoreWatch, store: FileStore) -> None:
    refresher = Refresher({"default": watch}, 0.01)
    assert not refresher.alive
    store.delete(a_run.KEYS.identity)
    refresher.start()
    try:
        assert until(lambda: not watch.runs, 20)
        assert refresher.alive
    finally:
        refresher.close()
    assert not refresher.alive
