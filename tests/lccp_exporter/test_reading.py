"""Reading a store again and again: what changed, what is damaged, what has gone."""

import gc
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import a_run
import pytest
from recorded_store import RecordedStore
from scraped import Scraped

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord, EvaluationOutcome
from lccp.api.objects.training import End, Ledger
from lccp.contract.errors import LccpError, StoreRefused, StoreUnavailable
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.port import Entry, ObjectInfo
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.reading import UNANSWERED_MAX, StoreReader
from lccp_exporter.refresh import Runs, StoreWatch

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
RUN = {"namespace": "default", "run": "tiny"}
ONE, OTHER = RunKeys("default", "one"), RunKeys("default", "other")


@pytest.fixture
def store(tmp_path: Path) -> RecordedStore:
    store = RecordedStore(tmp_path / "runs")
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[6], at=NOW))
    return store


def facts_of(watch: StoreWatch) -> list[ExportedFacts]:
    return [run.facts for run in watch.runs.values()]


def test_the_context_length_is_told_before_the_first_report(
    store: FileStore, watch: StoreWatch
) -> None:
    for info in store.list(a_run.KEYS.evaluations):
        store.delete(info.key)
    watch.refresh()

    (info,) = Scraped.of(Runs([watch])).samples("lccp_run_info")

    assert info.labels["target_context_length"] == str(a_run.TARGET_LENGTH)


class ListedStore(RecordedStore):
    """It notes what it lists among what is read, and may break off behind `last`."""

    last = ""

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        for info in super().scan(prefix):
            self.read = [*getattr(self, "read", []), f"listed {info.key}"]
            yield info
            if info.key == self.last:
                raise StoreUnavailable("store: no answer")


class ShuffledStore(RecordedStore):
    """It lists its objects by the ends of their keys."""

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(sorted(super().scan(prefix), key=lambda info: info.key[::-1]))


@pytest.fixture
def pair(tmp_path: Path) -> ListedStore:
    """Two runs."""
    store = ListedStore(tmp_path / "pair")
    for keys in (ONE, OTHER):
        a_run.put(store, a_run.running(a_run.CHECKPOINTS[0], at=NOW), keys)
    store.read = []
    return store


def test_a_run_is_read_before_the_listing_comes_to_the_next(pair: ListedStore) -> None:
    StoreReader(pair, lambda _: True).runs()
    order = [pair.read.index(one) for one in (ONE.verdict, f"listed {OTHER.identity}")]
    assert order == sorted(order)


def test_what_was_read_before_a_listing_broke_off_is_not_read_again(pair: ListedStore) -> None:
    reader, pair.last = StoreReader(pair, lambda _: True), OTHER.identity
    with pytest.raises(StoreUnavailable):
        reader.runs()
    assert ONE.verdict in pair.read
    pair.last, pair.read = "", []
    assert [facts.run for facts in reader.runs()] == ["one", "other"]
    assert not [key for key in pair.read if key.startswith(ONE.prefix)]


class GuardedStore(RecordedStore):
    """It gives no object of these runs."""

    guarded: tuple[RunKeys, ...] = ()
    error: type[LccpError] = StoreRefused

    def get_entry(self, key: str) -> Entry:
        if any(key.startswith(keys.prefix) for keys in self.guarded):
            raise self.error(f"store: refuses {key}")
        return super().get_entry(key)


@pytest.mark.parametrize("error", [StoreRefused, StoreUnavailable])
def test_an_object_that_the_store_does_not_give_concerns_its_run_alone(
    tmp_path: Path, error: type[LccpError]
) -> None:
    store, before, after = GuardedStore(tmp_path), *a_run.CHECKPOINTS[:2]
    store.error = error
    runs = [RunKeys("default", f"run-{number}") for number in range(UNANSWERED_MAX + 2)]
    for keys in runs:
        a_run.put(store, a_run.running(before, at=NOW), keys)
    reader = StoreReader(store, lambda _: True)
    reader.runs()
    for keys in runs:
        a_run.put(store, a_run.running(after, at=NOW), keys)

    store.guarded = tuple(runs[:UNANSWERED_MAX])
    found = reader.runs()
    assert [one.unreadable_objects for one in found] == [1] * UNANSWERED_MAX + [0, 0]
    assert [tokens(one) for one in found] == [before] * UNANSWERED_MAX + [after, after]

    store.guarded = tuple(runs[: UNANSWERED_MAX + 1])
    with pytest.raises(error):
        StoreReader(store, lambda _: True).runs()
    store.guarded = ()
    assert [(one.unreadable_objects, tokens(one)) for one in reader.runs()] == [(0, after)] * 7


def tokens(facts: ExportedFacts) -> int:
    assert facts.heartbeat is not None
    return facts.heartbeat.tokens


def test_a_store_that_gives_no_object_at_all_fails(tmp_path: Path) -> None:
    store = GuardedStore(tmp_path)
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[0], at=NOW), ONE)
    store.guarded = (ONE,)
    with pytest.raises(StoreRefused):
        StoreReader(store, lambda _: True).runs()


def test_a_run_is_read_whole_where_the_store_lists_in_no_order(tmp_path: Path) -> None:
    """As S3's directory buckets do."""
    by_key, in_no_order = RecordedStore(tmp_path / "runs"), ShuffledStore(tmp_path / "runs")
    for keys in (ONE, OTHER):
        a_run.put(by_key, a_run.running(a_run.CHECKPOINTS[2], at=NOW), keys)

    wanted = {facts.run: facts.measured for facts in StoreReader(by_key, lambda _: True).runs()}
    reader = StoreReader(in_no_order, lambda _: True)
    for _ in range(2):
        assert {facts.run: facts.measured for facts in reader.runs()} == wanted


def test_of_a_run_that_is_shown_no_more_only_the_journal_is_read(store: RecordedStore) -> None:
    journal = a_run.journal().model_copy(update={"finished_at": NOW - 2 * DAY})
    store.put(a_run.KEYS.journal, journal.to_json())
    watch = StoreWatch("default", store, DAY, now=lambda: NOW)
    store.read = []
    watch.refresh()
    assert (store.read, len(watch.runs)) == ([a_run.KEYS.journal], 0)


def test_of_a_run_that_is_shown_no_more_nothing_but_the_journal_is_kept(
    store: RecordedStore,
) -> None:
    journal = a_run.journal().model_copy(update={"finished_at": NOW})
    store.put(a_run.KEYS.journal, journal.to_json())
    now = [NOW]
    reader = StoreReader(store, lambda run: now[0] < NOW + DAY)
    (shown,) = reader.runs()
    assert shown.measured
    now[0] = NOW + 2 * DAY
    kept = ExportedFacts(a_run.KEYS.namespace, a_run.KEYS.name, journal=shown.journal)
    store.read = []
    assert reader.runs() == (kept,)
    assert store.read == []
    facts = weakref.ref(shown)
    del shown
    gc.collect()
    assert facts() is None


def test_of_several_writers_of_an_attempt_the_times_and_spikes_add_up(
    store: RecordedStore, watch: StoreWatch
) -> None:
    (before,) = facts_of(watch)
    again = a_run.heartbeat().model_copy(
        update={"ledger": Ledger(productive=60.0), "spikes_total": 1, "at": NOW}
    )
    store.put(a_run.KEYS.heartbeat("a1-0000000b"), again.to_json())
    watch.refresh()
    (now,) = facts_of(watch)
    assert now.ledger.productive == before.ledger.productive + 60.0
    assert now.spikes_total == before.spikes_total + 1
    assert now.heartbeat == again


def test_a_branch_is_told_until_it_ends_and_its_time_counts(
    store: RecordedStore, watch: StoreWatch
) -> None:
    (before,) = facts_of(watch)
    at = a_run.CHECKPOINTS[1]
    own = AttemptRecord(number=2, branch=at, started_at=NOW)
    journal = a_run.journal(stopped=False)
    attempts = (*journal.attempts, own)
    store.put(a_run.KEYS.journal, journal.model_copy(update={"attempts": attempts}).to_json())
    beat = a_run.heartbeat().model_copy(
        update={"attempt": 2, "ledger": Ledger(productive=60.0), "at": NOW}
    )
    branch, writer = a_run.KEYS.branch(at), "a2-0000000b"
    store.put(branch.heartbeat(writer), beat.to_json())
    watch.refresh()
    (now,) = facts_of(watch)
    assert now.branching == beat
    assert now.heartbeat == before.heartbeat
    assert now.ledger.productive == before.ledger.productive + 60.0

    end = End(result=Cause.COMPLETED, ledger=beat.ledger, at=NOW)
    store.put(branch.end(writer), end.to_json())
    watch.refresh()
    (ended,) = facts_of(watch)
    assert ended.branching is None
    assert ended.ledger.productive == now.ledger.productive


def test_a_damaged_object_is_counted_and_hides_nothing_else(
    store: FileStore, watch: StoreWatch
) -> None:
    store.put(a_run.KEYS.verdict, b'{"schemaVersion": 99}')
    watch.refresh()
    (run,) = watch.runs.values()
    assert (run.facts.judged, run.facts.unreadable_objects) == (None, 1)
    assert run.facts.heartbeat is not None


def test_a_report_about_another_checkpoint_is_left_out_and_counted(
    store: FileStore, watch: StoreWatch
) -> None:
    old, other = a_run.CHECKPOINTS[1], a_run.CHECKPOINTS[2]
    store.put(a_run.KEYS.report(old), a_run.report(other).to_json())
    watch.refresh()
    (run,) = watch.runs.values()
    assert old not in {measured.tokens for measured in run.facts.measured}
    assert run.facts.unreadable_objects == 1


def test_what_did_not_change_is_not_read_again(store: RecordedStore, watch: StoreWatch) -> None:
    store.read = []
    before = facts_of(watch)
    watch.refresh()
    assert (store.read, facts_of(watch)) == ([], before)
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), a_run.heartbeat(1).to_json())
    watch.refresh()
    assert store.read == [a_run.KEYS.heartbeat(a_run.WRITER)]


def test_of_a_new_checkpoint_no_older_report_is_read(
    store: RecordedStore, watch: StoreWatch
) -> None:
    tokens = a_run.CHECKPOINTS[7]
    store.put(a_run.KEYS.report(tokens), a_run.report(tokens).to_json())
    store.read = []
    watch.refresh()
    reports = [key for key in store.read if key.endswith("report.json")]
    assert reports == [a_run.KEYS.report(tokens)]


def test_a_run_that_comes_back_is_read_anew(store: RecordedStore, watch: StoreWatch) -> None:
    kept = store.get(a_run.KEYS.identity)
    store.delete(a_run.KEYS.identity)
    watch.refresh()
    assert watch.runs == {}
    store.put(a_run.KEYS.identity, kept)
    watch.refresh()
    assert Scraped.of(Runs([watch])).value("lccp_trained_tokens", **RUN) == a_run.CHECKPOINTS[6]


def test_of_outcomes_it_is_kept_how_they_ended_alone(store: RecordedStore) -> None:
    """A journal has one for each checkpoint and suite, and a store many runs."""
    failed = EvaluationOutcome(
        checkpoint_digest="ab" * 32, result="Failed", exhausted=True, at=NOW, message="no memory"
    )
    journal = a_run.journal(stopped=False)
    outcomes = journal.evaluations | {"000000000000001/intrinsic": failed}
    store.put(a_run.KEYS.journal, journal.model_copy(update={"evaluations": outcomes}).to_json())
    (facts,) = StoreReader(store, lambda _: True).runs()
    assert facts.journal is not None
    kept = facts.journal.evaluations
    assert {key: (one.result, one.exhausted) for key, one in kept.items()} == {
        key: (one.result, one.exhausted) for key, one in outcomes.items()
    }
    assert len({id(one) for one in kept.values()}) == 2


def test_reports_that_are_made_alike_share_what_they_have_in_common(store: RecordedStore) -> None:
    (facts,) = StoreReader(store, lambda _: True).runs()
    assert len(facts.measured) > 1
    assert len({id(one.parts) for one in facts.measured}) == 1
    assert len({one.digests for one in facts.measured}) == len(facts.measured)
