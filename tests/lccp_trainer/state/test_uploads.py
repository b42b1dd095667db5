import errno
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput, LccpError, StoreRefused, StoreUnavailable
from lccp_trainer.state.uploads import NICENESS, Uploader, patiently, unsent


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


@pytest.mark.slow
def test_jobs_run_in_order_beside_the_caller_and_a_third_one_waits() -> None:
    uploader, done, go = Uploader(), [], threading.Event()
    uploader.submit(lambda: done.append(go.wait(10)))
    uploader.submit(lambda: done.append("second"))
    third = threading.Thread(target=lambda: uploader.submit(lambda: done.append("third")))
    third.start()
    third.join(0.2)
    assert third.is_alive()
    go.set()
    third.join(10)
    uploader.finish()
    assert done == [True, "second", "third"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_jobs_and_threads_that_they_start_leave_the_cores_to_the_training() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def job() -> None:
        found.append(niceness())
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(niceness).result())

    uploader, found, own = Uploader(), list[int](), niceness()
    uploader.submit(job)
    uploader.finish()

    assert found == [min(19, own + NICENESS)] * 2
    assert niceness() == own


def test_a_job_that_fails_fails_what_is_asked_next_and_stops_those_behind_it() -> None:
    uploader, done = Uploader(), []
    uploader.submit(Flaky(1))
    uploader.submit(lambda: done.append("never"))
    with pytest.raises(StoreUnavailable):
        uploader.finish()
    with pytest.raises(StoreUnavailable):
        uploader.submit(lambda: None)
    assert done == []


def test_the_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    with unsent(tmp_path / "state") as folder:
        folder.mkdir()
        (folder / "rank").write_bytes(b"part")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_has_room_again(tmp_path: Path) -> None:
    def save() -> None:
        with unsent(tmp_path / "state") as folder:
            folder.mkdir()
            (folder / "rank").write_bytes(b"part")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LccpError, match=r"^TMPDIR: .*state can't be written \(No space left"):
        save()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_store_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable), unsent(tmp_path / "state"):
        raise StoreUnavailable("store")
