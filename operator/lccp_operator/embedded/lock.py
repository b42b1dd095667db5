"""One engine per run: the lock that it holds together with its child processes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lccp.contract.errors import InvalidInput
from lccp.store.local import delete_unused, missing_folders

ORPHANS_SECONDS = 15.0
POLL_SECONDS = 0.1


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold the lock at `path`; yields its file descriptor, which child processes inherit.

    Therefore the lock of a killed engine is free only when its last child process is gone: we
    wait for that. New folders in which nothing else was written are deleted at the end.

    Raises InvalidInput if a live engine holds it, or the file can't be written.
    """
    new = missing_folders(path.parent)
    with _taken(path) as file:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield file.fileno()
        finally:
            delete_unused(new, path.name)


def _taken(path: Path) -> TextIO:
    """The file at `path`, locked. Another holder may delete it while we wait for its lock."""
    while True:
        file = _opened(path)
        try:
            _take(file.fileno(), path)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except InvalidInput:
            file.close()
            raise
        file.close()


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")
    except OSError as error:
        reason = f"{path}: can't be written: {error.strerror}"
        raise InvalidInput(f"{reason}: give another folder as --store") from None


def _take(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + ORPHANS_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(path)
            if _lives(owner) or time.monotonic() > deadline:
                raise InvalidInput(
                    f"{path.parent}: process {owner} is already working on this run: wait until it "
                    "ends, or stop it"
                ) from None
        time.sleep(POLL_SECONDS)


def _owner(path: Path) -> int:
    text = path.read_text().strip()
    return int(text) if text.isdigit() else 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
