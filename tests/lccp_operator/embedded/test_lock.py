"""One engine per run: the lock that it shares with its child processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from laptop import lives, wait_for

from lccp.contract.errors import InvalidInput
from lccp_operator.embedded import lock


def test_a_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    with (
        lock.held(path),
        pytest.raises(InvalidInput, match=f"process {os.getpid()} is already working on this run"),
        lock.held(path),
    ):
        pass

    with lock.held(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "engine.lock"
    with pytest.raises(InvalidInput, match=f"{path}: can't be written: "), lock.held(path):
        pass


@pytest.mark.slow
def test_the_lock_of_a_killed_engine_is_free_when_its_last_child_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    program = (
        "import os, subprocess; from pathlib import Path;"
        "from lccp_operator.embedded import lock\n"
        f"with lock.held(Path({str(path)!r})) as descriptor:\n"
        "    none = subprocess.DEVNULL\n"
        "    told = {'pass_fds': (descriptor,), 'stdout': none, 'stderr': none}\n"
        "    child = subprocess.Popen(['sleep', '2'], **told)\n"
        "    print(child.pid, flush=True); os._exit(0)"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    with lock.held(path):  # which the kernel frees a moment before the child counts as dead
        wait_for(lambda: not lives(int(killed.stdout)), seconds=0.5)


def test_the_folder_of_a_lock_is_made(tmp_path: Path) -> None:
    with lock.held(tmp_path / "runs" / "tiny" / "engine.lock") as descriptor:
        assert os.fstat(descriptor).st_size > 0


def test_new_folders_without_anything_but_the_lock_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / "default" / "tiny" / "engine.lock"
    with lock.held(path):
        pass
    assert list(tmp_path.rglob("*")) == [tmp_path / "runs"]

    with lock.held(path):
        (path.parent / "run.json").touch()
    assert path.exists()


def test_a_lock_that_its_holder_deletes_is_not_taken_by_who_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, take = tmp_path / "engine.lock", lock.fcntl.flock
    taken: list[int] = []

    def deleted_first(descriptor: int, how: int) -> None:
        if not taken:
            path.unlink()
        taken.append(descriptor)
        take(descriptor, how)

    monkeypatch.setattr(lock.fcntl, "flock", deleted_first)
    with lock.held(path) as descriptor:
        assert os.path.samestat(os.fstat(descriptor), path.stat())
    assert len(taken) == 2


def test_a_lock_that_orphans_hold_is_waited_for_so_long_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine.lock"
    monkeypatch.setattr(lock, "ORPHANS_SECONDS", 0.05)
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.01)
    with lock.held(path):
        path.write_text("")
        with (
            pytest.raises(InvalidInput, match="process 0 is already working on this run"),
            lock.held(path),
        ):
            pass
