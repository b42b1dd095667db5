import time

from laptop import wait_for

from lccp.api.objects.report import EvaluationProgress
from lccp.contract.errors import StoreUnavailable
from lccp.store import objects
from lccp.store.file import FileStore
from lccp_evaluator import progress
from lccp_evaluator.progress import Done, ProgressFile, Remaining


def test_the_time_left_goes_with_tokens_not_with_samples() -> None:
    now = iter((0.0, 10.0, 30.0))
    remaining = Remaining(lambda: next(now))
    assert remaining.seconds(Done(0, 100, 0.0)) is None
    assert remaining.seconds(Done(0, 100, 0.25)) == 30
    assert remaining.seconds(Done(90, 100, 0.5)) == 30


def test_what_was_read_before_tells_no_speed() -> None:
    now = iter((0.0, 5.0))
    remaining = Remaining(lambda: next(now))
    assert remaining.seconds(Done(50, 100, 0.5)) is None
    assert remaining.seconds(Done(75, 100, 0.75)) == 5


def test_it_is_written_anew_while_a_pass_lasts_and_no_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.02)
    store = FileStore(tmp_path)

    with ProgressFile(store, "progress.json") as file:
        time.sleep(0.05)
        assert store.stat("progress.json") is None
        file(Done(1, 9, 0.1))
        first = objects.read(store, "progress.json", EvaluationProgress)
        wait_for(lambda: objects.read(store, "progress.json", EvaluationProgress).at > first.at)

    time.sleep(0.1)
    last = objects.read(store, "progress.json", EvaluationProgress)
    time.sleep(0.1)
    assert objects.read(store, "progress.json", EvaluationProgress) == last
    assert (last.done, last.beats) == (1, True)


def test_a_store_that_does_not_take_a_beat_ends_no_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.02)

    class Moody(FileStore):
        writes = 0

        def put(self, key, data):
            self.writes += 1
            if 1 < self.writes < 4:
                raise StoreUnavailable("it does not answer")
            return super().put(key, data)

    store = Moody(tmp_path)
    with ProgressFile(store, "progress.json") as file:
        file(Done(1, 9, 0.1))
        first = objects.read(store, "progress.json", EvaluationProgress)
        wait_for(lambda: store.writes > 4)

    assert objects.read(store, "progress.json", EvaluationProgress).at > first.at


class Slow(FileStore):
    """A store of which one write, the second, takes half a second."""

    writes = 0

    def put(self, key, data):
        self.writes += 1
        if self.writes == 2:
            time.sleep(0.5)
        return super().put(key, data)

    def wait_for_second(self, monkeypatch):
        """Until that write has begun, since a beat is due."""
        monkeypatch.setattr(progress, "BEAT_SECONDS", 0.02)
        while self.writes < 2:
            time.sleep(0.01)


def test_a_slow_write_never_lands_after_a_newer_one(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(progress, "BEAT_SECONDS", 60)
    store = Slow(tmp_path)

    with ProgressFile(store, "progress.json") as file:
        file(Done(1, 9, 0.1))
        store.wait_for_second(monkeypatch)
        monkeypatch.setattr(progress, "BEAT_SECONDS", 60)
        file(Done(9, 9, 1.0))
        time.sleep(0.7)
        assert objects.read(store, "progress.json", EvaluationProgress).done == 9


def test_at_its_end_a_write_that_has_begun_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.01)
    store = Slow(tmp_path)

    with ProgressFile(store, "progress.json") as file:
        file(Done(1, 9, 0.1))
        store.wait_for_second(monkeypatch)
        monkeypatch.setattr(progress, "BEAT_SECONDS", 5)

    last = store.stat("progress.json")
    time.sleep(0.7)
    assert store.stat("progress.json") == last
