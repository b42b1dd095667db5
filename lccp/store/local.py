"""Local files that a store reads and writes; their errors are input errors."""

import errno
import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lccp.contract.errors import DiskFailed, InvalidInput

CHUNK_BYTES = 1 << 20

OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)
"""Failures of a disk that is full, broken, or of a network, whatever the path."""

Write = Callable[[bytes], object]


@contextmanager
def open_source(path: Path) -> Iterator[io.BufferedReader]:
    """The file at `path`, open for reading. Raises InvalidInput if it cannot be opened."""
    with _local(path, "read"):
        file = path.open("rb")
    with file:
        yield file


@contextmanager
def atomic_write(path: Path) -> Iterator[Write]:
    """Yield a function that writes chunks; `path` appears when the block ends.

    A link stays, and leads to the new file. Raises InvalidInput if the file cannot be written, or
    if `path` is something else than a file; DiskFailed if the disk is full, or fails.
    """
    with _local(path, "written"):
        _refuse_what_is_no_file(path)
        target = Path(os.path.realpath(path))
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("xb", buffering=0)
    try:
        with file:
            yield _writer(file.write, path)
        with _local(path, "written"):
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _refuse_what_is_no_file(path: Path) -> None:
    """What is renamed to `path` would take the place of a device or a pipe."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        raise InvalidInput(f"file {path}: cannot be written: it is a device or a pipe: give a file")


def missing_folders(folder: Path) -> list[Path]:
    """The folder and those above it that do not exist, the deepest first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def delete_unused(folders: Sequence[Path], *worthless: str) -> None:
    """Delete new folders, as of `missing_folders`, if no file but `worthless` ones is in them."""
    if not folders or any(
        one.is_file() for one in folders[0].rglob("*") if one.name not in worthless
    ):
        return
    shutil.rmtree(folders[0], ignore_errors=True)
    with suppress(OSError):
        for folder in folders[1:]:
            folder.rmdir()


def _writer(write: Callable[[bytes], int], path: Path) -> Write:
    def write_all(chunk: bytes) -> None:
        with _local(path, "written"):
            written = write(chunk)
            while written < len(chunk):
                written += write(chunk[written:])

    return write_all


@contextmanager
def _local(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(error, f"file {path}: cannot be {done}") from None


def refusal(error: OSError, what: str) -> InvalidInput:
    """`what` failed by `error`: DiskFailed if that is a disk's fault, else InvalidInput."""
    kind = DiskFailed if error.errno in OF_A_DISK else InvalidInput
    return kind(f"{what}: {error.strerror}")
