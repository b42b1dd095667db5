"""What only the store in a folder has: files, locks, leftovers, permissions."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lccp.contract.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    StoreRefused,
    StoreUnavailable,
)
from lccp.store import file as file_module
from lccp.store import posix
from lccp.store.file import FileStore
from lccp.store.open import probe

NOBODY = 65534


def visible(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_objects_are_plain_files_that_others_may_read(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "runs")
    before = os.umask(0o022)
    try:
        store.put("ns/run/a.json", b"1")
        store.put_if_absent("ns/run/b.json", b"2")
    finally:
        os.umask(before)
    assert (tmp_path / "runs/ns/run/a.json").read_bytes() == b"1"
    for name in ("a.json", "b.json"):
        assert (tmp_path / "runs/ns/run" / name).stat().st_mode & 0o777 == 0o644


def test_nothing_but_objects_is_left_of_a_write(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("a", b"1")
    store.put_if_absent("b", b"1")
    with pytest.raises(Conflict):
        store.put_if_absent("b", b"2")
    with pytest.raises(Conflict):
        store.put_if_match("b", b"2", "other")
    assert visible(tmp_path) == [".lccp/lock", "a", "b"]


def test_what_lies_in_the_hidden_folder_is_not_looked_at(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("a", b"")
    (tmp_path / ".lccp" / "loop").symlink_to("loop")

    assert [info.key for info in store.list("")] == ["a"]


def test_what_a_file_system_keeps_for_itself_holds_no_objects(tmp_path: Path) -> None:
    """At the root of a volume; only root may enter it."""
    store = FileStore(tmp_path)
    store.put("team/tiny/run.json", b"1")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found" / "#12").write_bytes(b"1")

    assert [info.key for info in store.list("")] == ["team/tiny/run.json"]
    assert store.level("").prefixes == ["team/"]


def test_the_hidden_folder_is_no_part_of_the_store(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("a", b"1")
    assert [info.key for info in store.list("")] == ["a"]
    for use in (store.get, store.stat, store.delete):
        with pytest.raises(InvalidInput, match=r"must not begin with .lccp/"):
            use(".lccp/lock")


def test_an_emptied_folder_is_in_no_level(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("ns/left/a", b"1")
    (tmp_path / "ns" / "emptied" / "a").mkdir(parents=True)

    assert store.level("ns/").prefixes == ["ns/left/"]


def test_the_last_object_of_a_folder_takes_the_folder_along(tmp_path: Path) -> None:
    """Else every list would look into the folders of all states that were ever deleted."""
    store = FileStore(tmp_path)
    for key in ("ns/run/state/1/a", "ns/run/state/2/a", "b"):
        store.put(key, b"1")

    store.delete("ns/run/state/1/a")
    assert not (tmp_path / "ns" / "run" / "state" / "1").exists()

    for key in ("ns/run/state/2/a", "b"):
        store.delete(key)
    assert not (tmp_path / "ns" / "run").exists()


def test_the_folder_of_a_namespace_stays_with_its_owner_and_rights(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    (tmp_path / "ns").mkdir(mode=0o770)
    store.put("ns/run/a", b"1")

    store.delete("ns/run/a")

    assert [path.name for path in (tmp_path / "ns").iterdir()] == []


@pytest.mark.slow
def test_writers_of_other_processes_are_serialised(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from lccp.contract.errors import Conflict
from lccp.store.file import FileStore
store = FileStore(Path(sys.argv[1]))
for _ in range(25):
    while True:
        entry = store.get_entry("counter")
        try:
            store.put_if_match("counter", b"%d" % (int(entry.data) + 1), entry.etag)
            break
        except Conflict:
            pass
"""
    FileStore(tmp_path).put("counter", b"0")
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert FileStore(tmp_path).get("counter") == b"100"


def test_equal_content_written_twice_has_two_etags(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    etags = set()
    for _ in range(20):
        store.put("a", b"same")
        etags.add(store.get_entry("a").etag)
    assert len(etags) == 20


def test_an_objects_time_has_nanoseconds_though_the_kernel_counts_milliseconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000_123_456_789
    monkeypatch.setattr(time, "time_ns", lambda: now)
    FileStore(tmp_path).put("a", b"1")
    assert (tmp_path / "a").stat().st_mtime_ns == now


def test_a_writer_killed_half_way_leaves_no_object(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from lccp.store.file import FileStore
os.replace = lambda source, target: os.kill(os.getpid(), signal.SIGKILL)
FileStore(Path(sys.argv[1])).put("ns/a", b"x")
"""
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert killed.returncode == -9
    store = FileStore(tmp_path)
    assert len([p for p in (tmp_path / ".lccp").iterdir() if p.name != "lock"]) == 1
    assert store.list("") == []
    assert store.stat("ns/a") is None


def test_leftovers_are_swept_after_a_day_not_before(tmp_path: Path) -> None:
    hidden = tmp_path / ".lccp"
    hidden.mkdir()
    for name, age_seconds in (("old", 25 * 3600), ("young", 3600), ("lock", 25 * 3600)):
        (hidden / name).touch()
        os.utime(hidden / name, (time.time() - age_seconds,) * 2)
    FileStore(tmp_path).put("a", b"1")
    assert visible(tmp_path) == [".lccp/lock", ".lccp/young", "a"]


def test_a_lock_that_stays_held_is_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "LOCK_SECONDS", 0.05)
    store = FileStore(tmp_path)
    store.put("a", b"0")
    with (tmp_path / ".lccp" / "lock").open("ab") as lock:
        assert posix.try_lock(lock)
        for put in (FileStore(tmp_path).put, FileStore(tmp_path).put_if_absent):
            with pytest.raises(StoreUnavailable, match="holds its lock"):
                put("b", b"1")
    store.put("a", b"1")


def test_a_folder_that_is_not_there_is_not_an_empty_store(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "typo")
    for use in (store.get, store.stat, store.list):
        with pytest.raises(InvalidInput, match=r"typo: there is no such folder"):
            use("ns")
    assert not (tmp_path / "typo").exists()
    store.put("ns/a", b"1")
    assert store.get("ns/a") == b"1"


def a_file_in_its_place(root: Path) -> None:
    root.touch()


def an_empty_mount_point(root: Path) -> None:
    root.mkdir()


def nothing(root: Path) -> None: ...


@pytest.mark.parametrize("left", [a_file_in_its_place, an_empty_mount_point, nothing])
def test_a_folder_that_was_there_before_is_an_outage_until_it_is_back(
    tmp_path: Path, left: Callable[[Path], None]
) -> None:
    root, away = tmp_path / "runs", tmp_path / "away"
    store = FileStore(root)
    store.put("a", b"1")
    root.rename(away)
    left(root)

    uses: list[Callable[[], object]] = [
        lambda: store.get("a"),
        lambda: store.put("a", b"2"),
        lambda: store.put_if_absent("b", b"2"),
        lambda: store.stat("a"),
        lambda: store.list(""),
        lambda: store.delete("a"),
    ]
    for use in uses:
        with pytest.raises(StoreUnavailable):
            use()
    assert not root.is_dir() or not any(root.iterdir())

    if root.is_dir():
        root.rmdir()
    root.unlink(missing_ok=True)
    away.rename(root)
    assert store.get("a") == b"1"


def test_whoever_only_read_before_writes_nothing_into_an_empty_mount_point(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    FileStore(root).put("a", b"1")
    store = FileStore(root)
    assert store.stat("a")
    root.rename(tmp_path / "away")
    root.mkdir()

    with pytest.raises(StoreUnavailable):
        store.put("a", b"2")
    assert not any(root.iterdir())


def test_a_folder_that_was_only_read_is_an_outage_too_once_it_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    store = FileStore(root)
    assert store.list("") == []
    root.rmdir()

    with pytest.raises(StoreUnavailable, match="its folder is gone, or may not be entered"):
        store.list("")


def test_a_folder_whose_hidden_folder_somebody_deleted_is_told_as_that(tmp_path: Path) -> None:
    """It might be an empty mount point, so it is an outage until that folder is there."""
    store = FileStore(tmp_path)
    store.put("a", b"1")
    shutil.rmtree(tmp_path / ".lccp")

    lacks = "its folder lacks .lccp: mount what was there, or make .lccp again"
    with pytest.raises(StoreUnavailable, match=re.escape(lacks)):
        store.list("")

    (tmp_path / ".lccp").mkdir()
    store.put("a", b"2")


def test_an_object_is_not_a_folder(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("a", b"1")
    for write in (store.put, store.put_if_absent):
        with pytest.raises(InvalidInput, match=r"a/b: may not be used"):
            write("a/b", b"1")
    with pytest.raises(NotFound):
        store.get("a/b")


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.put("object/below", b"1"),
        lambda store: store.put("folder", b"1"),
        lambda store: store.get("loop"),
    ],
    ids=["below an object", "a folder", "a loop"],
)
def test_a_key_that_the_folder_cannot_hold_is_not_taken_for_a_store_that_refuses(
    tmp_path: Path, use: Callable[[FileStore], object]
) -> None:
    store = FileStore(tmp_path)
    store.put("object", b"1")
    store.put("folder/below", b"1")
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(InvalidInput, match=r"may not be used") as refused:
        use(FileStore(tmp_path))

    assert not isinstance(refused.value, StoreRefused)


@pytest.mark.parametrize(
    ("path", "error"), [("a:b", InvalidInput), (None, StoreUnavailable)], ids=["a name", "the disk"]
)
def test_a_file_system_that_finds_a_name_invalid_is_not_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None, error: type[Exception]
) -> None:
    def replace(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument", path)

    monkeypatch.setattr(file_module.os, "replace", replace)

    with pytest.raises(error) as refused:
        FileStore(tmp_path).put("a:b", b"1")

    assert not isinstance(refused.value, StoreRefused)


def test_a_store_below_a_file_is_refused_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")

    with pytest.raises(StoreRefused):
        FileStore(tmp_path / "file").put("a", b"1")


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder that this process may read, but not write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "object").write_bytes(b"1")
        (folder / "closed").mkdir(mode=0o700)
        if os.geteuid() == 0:
            folder.chmod(0o755)
            os.seteuid(NOBODY)
        else:
            (folder / "closed").chmod(0o000)
            folder.chmod(0o555)
        try:
            yield folder
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            folder.chmod(0o755)
            (folder / "closed").chmod(0o755)


def test_a_folder_that_may_only_be_read_is_refused_in_one_sentence(foreign_folder: Path) -> None:
    store = FileStore(foreign_folder)
    assert store.get("object") == b"1"
    with pytest.raises(InvalidInput) as refused:
        probe(store)
    assert str(refused.value).startswith(f"store file://{foreign_folder}: ")
    assert str(refused.value).endswith("may not be used (Permission denied)")


def test_what_may_not_be_read_is_not_an_empty_folder(foreign_folder: Path) -> None:
    with pytest.raises(InvalidInput, match="Permission denied"):
        FileStore(foreign_folder).list("")
