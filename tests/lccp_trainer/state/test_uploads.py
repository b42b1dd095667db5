import errno
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lccp.contract.errors import LccpError, StoreUnavailable
from lccp_trainer.state.uploads import NICENESS, Uploader, unsent


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
    def fail() -> None:
        raise StoreUnavailable("store s3://x does not answer")

    uploader, done = Uploader(), []
    uploader.submit(fail)
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
