"""What `file://` asks of a POSIX file system: times, ETags, locks, and what reaches the disk."""

import fcntl
import os
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lccp.store.port import ObjectInfo

ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


def object_info(key: str, path: Path) -> ObjectInfo | None:
    """What listing tells of the file at `path`; None if there is none, or it is no file."""
    try:
        status = path.stat()
    except ABSENT:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return ObjectInfo(key, status.st_size, etag(status), modified)


def names(folder: Path) -> list[str]:
    """Names in `folder`; none where there is no such folder."""
    try:
        return os.listdir(folder)
    except ABSENT:
        return []


def raise_unless_absent(error: OSError) -> None:
    """Raise `error`, unless it says that something is not there."""
    if not isinstance(error, ABSENT):
        raise error


def try_lock(lock: BinaryIO) -> bool:
    """Whether this process holds the lock now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def etag(status: os.stat_result) -> str:
    """The ETag of a file: its time, inode and size."""
    return f"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}"


def stamp(file: BinaryIO) -> None:
    """Set the file's time to now in nanoseconds; the kernel's own clock ticks in milliseconds."""
    now = time.time_ns()
    os.utime(file.fileno(), ns=(now, now))


def flush_folder(folder: Path) -> None:
    """Write the names in `folder` to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
