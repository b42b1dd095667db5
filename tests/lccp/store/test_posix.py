"""What `file://` requires of a file system."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lccp.store.posix import etag, files, names, object_info, stamp, try_lock


def test_a_file_is_told_by_size_time_and_etag(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123")
    os.utime(path, (1_000, 1_000))
    info = object_info("ns/a", path)

    assert info is not None
    assert (info.key, info.size) == ("ns/a", 3)
    assert info.modified == datetime.fromtimestamp(1_000, UTC)
    assert info.etag == etag(path.stat())


def test_what_is_no_file_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "none", tmp_path / "file" / "below"):
        assert object_info("a", path) is None


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert names(tmp_path) == ["file"]
    assert names(tmp_path / "none") == []
    assert names(tmp_path / "file") == []


def test_files_come_in_the_order_of_their_whole_keys(tmp_path: Path) -> None:
    keys = sorted(["a/b", "a-b", "a.b", "a/a", "ab", "B", "a/b-c", "a/b.c/d"])
    for key in reversed(keys):
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert [info.key for info in files(tmp_path, "")] == keys
    assert [info.key for info in files(tmp_path / "a", "x/a/")] == [
        f"x/{key}" for key in keys if key.startswith("a/")
    ]


def test_no_folder_holds_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [*files(tmp_path / "none", ""), *files(tmp_path / "file", "")] == []


def test_only_absence_is_passed_over(tmp_path: Path) -> None:
    (loop := tmp_path / "loop").symlink_to(loop)
    with pytest.raises(OSError, match="symbolic links"):
        list(files(loop, ""))


def test_a_folder_is_read_when_its_turn_comes(tmp_path: Path) -> None:
    for name in ("a/x", "b/x"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    found = files(tmp_path, "")
    first = next(found)
    (tmp_path / "b" / "x").unlink()
    assert (first.key, list(found)) == ("a/x", [])


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("wb") as mine, path.open("wb") as yours:
        assert try_lock(mine)
        assert not try_lock(yours)
    with path.open("wb") as again:
        assert try_lock(again)


def test_a_stamp_makes_another_etag_of_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        os.utime(file.fileno(), (1, 1))
        before = etag(os.fstat(file.fileno()))
        stamp(file)
        assert etag(os.fstat(file.fileno())) != before
