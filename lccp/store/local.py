"""Local files that a store reads and writes; their errors are input errors."""

import io
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lccp.contract.errors import InvalidInput

CHUNK_BYTES = 1 << 20

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

    Raises InvalidInput if the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    with _local(path, "written"):
        part.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("xb", buffering=0)
    try:
        with file:
            yield _writer(file.write, path)
        with _local(path, "written"):
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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
        raise InvalidInput(f"file {path}: cannot be {done}: {error.strerror}") from None
