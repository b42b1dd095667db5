"""An unchanged file is read once; whatever may have changed is read again."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from lccp.api.objects.manifest import FileRecord
from lccp_evaluator.sampling.sources import digests
from lccp_evaluator.sampling.sources.digests import FileDigests, KnownDigests

TEXT = "a text of some length"
OTHER = TEXT[::-1]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that did not change lately, as the module sees it."""
    monkeypatch.setattr(digests, "SETTLED_NS", -(10**12))
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    found: list[Path] = []

    def noted(path: Path) -> FileRecord:
        found.append(path)
        return FileRecord(size=path.stat().st_size, sha256=digest(path.read_text()))

    monkeypatch.setattr(digests, "file_record", noted)
    return found


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def kept(file: Path) -> FileDigests:
    """What an evaluation keeps of the file, as the next one finds it."""
    known = KnownDigests()
    known.of(file)
    assert known.new
    return FileDigests.from_json(known.document().to_json(), "files.json")


def test_an_unchanged_file_is_read_once(file: Path, read: list[Path]) -> None:
    known = KnownDigests(kept(file))

    assert known.of(file) == digest(TEXT)
    assert read == [file]
    assert not known.new


def rewrite(file: Path) -> None:
    file.write_text(OTHER)


def rewrite_and_set_the_time_back(file: Path) -> None:
    status = file.stat()
    file.write_text(OTHER)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(file: Path) -> None:
    status = file.stat()
    other = file.with_name("b.txt")
    other.write_text(OTHER)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("change", [rewrite, rewrite_and_set_the_time_back, replace])
def test_a_changed_file_of_the_same_size_is_read_again(
    file: Path, read: list[Path], change: Callable[[Path], None]
) -> None:
    found = kept(file)
    change(file)

    assert KnownDigests(found).of(file) == digest(OTHER)
    assert read == [file, file]


def test_a_file_that_has_just_changed_is_not_kept(
    file: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "SETTLED_NS", 10**12)
    known = KnownDigests()

    assert known.of(file) == known.of(file) == digest(TEXT)
    assert not known.new
    assert read == [file]
