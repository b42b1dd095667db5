"""What `file://` asks of a file system."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lccp.store.posix import etag, names, object_info, raise_unless_absent, stamp, try_lock


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


def test_only_absence_is_passed_over() -> None:
    raise_unless_absent(FileNotFoundError())
    raise_unless_absent(NotADirectoryError())
    with pytest.raises(PermissionError):
        raise_unless_absent(PermissionError())


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
