"""Local files that a store reads and writes: complete or not at all; errors are input errors."""

import errno
import os
from pathlib import Path

import pytest

from lccp.contract.errors import DiskFailed, InvalidInput
from lccp.store.local import atomic_write, open_source


def test_a_file_appears_once_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    with atomic_write(target) as write:
        write(b"one")
        assert not target.exists()
        write(b"two")
    assert target.read_bytes() == b"onetwo"
    assert list(target.parent.iterdir()) == [target]


def breaking(path: Path, error: Exception) -> None:
    with atomic_write(path) as write:
        write(b"half")
        raise error


def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(ConnectionError):
        breaking(target, ConnectionError())
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_cannot_take_its_place_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    refused = pytest.raises(InvalidInput, match=r"folder: cannot be written: Is a directory")
    with refused, atomic_write(folder) as write:
        write(b"x")
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_a_disk_that_is_full_or_broken_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", fails)
    failed = pytest.raises(DiskFailed, match=rf"cannot be written: {os.strerror(number)}")
    with failed, atomic_write(tmp_path / "file") as write:
        write(b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_device_a_pipe_or_a_link_to_one_is_not_replaced(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")  # as /dev/stdout is
    with (
        pytest.raises(InvalidInput, match="it is a device or a pipe: give a file"),
        atomic_write(tmp_path / name) as write,
    ):
        write(b"page")
    assert {one.name for one in tmp_path.iterdir()} == {"link", "pipe"}
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_without_a_name_is_told_by_the_name_that_was_given() -> None:
    """As /dev/stdout in a pipeline: what that leads to has no path."""
    read, written = os.pipe()
    given = Path(f"/proc/self/fd/{written}")
    with (
        pytest.raises(InvalidInput, match=f"^file {given}: .* is a device or a pipe: give a file"),
        atomic_write(given) as write,
    ):
        write(b"page")
    os.close(read)
    os.close(written)


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"old")
    (tmp_path / "latest").symlink_to("page")
    with atomic_write(tmp_path / "latest") as write:
        write(b"new")
    assert (tmp_path / "latest").is_symlink()
    assert (tmp_path / "page").read_bytes() == b"new"


def test_a_source_is_read_and_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    with open_source(tmp_path / "file") as file:
        assert file.read() == b"bytes"
    assert file.closed


@pytest.mark.parametrize(("name", "why"), [("none", "No such file"), ("", "Is a directory")])
def test_a_source_that_cannot_be_opened_is_named(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=rf"file .*: cannot be read: {why}"):
        open_source(tmp_path / name).__enter__()
