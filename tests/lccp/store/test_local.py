"""Local files that a store reads and writes: complete or not at all; errors are input errors."""

from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
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


def test_a_source_is_read_and_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    with open_source(tmp_path / "file") as file:
        assert file.read() == b"bytes"
    assert file.closed


@pytest.mark.parametrize(("name", "why"), [("none", "No such file"), ("", "Is a directory")])
def test_a_source_that_cannot_be_opened_is_named(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=rf"file .*: cannot be read: {why}"):
        open_source(tmp_path / name).__enter__()
