"""What `file://` needs from a POSIX file system: times, ETags, locks, and flushing to disk."""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lccp.store.port import ObjectInfo

ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
OF_A_PATH = (
    errno.EEXIST,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
)
"""Refusals of a path that is impossible there, or beside what is there."""

OF_A_FILE_SYSTEM = (
    errno.EACCES,
    errno.ENOENT,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EROFS,
    errno.EXDEV,
)
"""Refusals that end when somebody changes rights or mounts."""


def object_info(key: str, path: "Path | os.DirEntry[str]") -> ObjectInfo | None:
    """The metadata of the file at `path`; None if there is none, or it is not a file."""
    try:
        status = path.stat()
    except ABSENT:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return ObjectInfo(key, status.st_size, etag(status), modified)


def files(folder: Path | str, key: str, but: Container[str] = ()) -> Iterator[ObjectInfo]:
    """The files below `folder` by their keys, which begin with `key`; none without a folder.

    The folders of the keys `but` are skipped.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted((f"{key}{_as_in_keys(entry)}", entry) for entry in entries)
    except ABSENT:
        return
    for below, entry in found:
        if below in but:
            continue
        if below.endswith("/"):
            yield from files(entry.path, below)
        elif info := object_info(below, entry):
            yield info


def remove_empty(folder: Path, within: Path) -> None:
    """Remove `folder`, if it is empty, and then those above it, as long as they are in `within`."""
    while within in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def holds_a_file(folder: Path) -> bool:
    """Whether there is any file below `folder`; False if it is not a folder."""
    return next(files(folder, ""), None) is not None


def _as_in_keys(entry: "os.DirEntry[str]") -> str:
    """The entry's name, a folder's with a slash, so that names sort as keys do."""
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def names(folder: Path) -> list[str]:
    """Names in `folder`; none where there is no such folder."""
    try:
        return os.listdir(folder)
    except ABSENT:
        return []


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
    """Set the file's time to now, in nanoseconds; the kernel's own clock ticks in milliseconds."""
    now = time.time_ns()
    os.utime(file.fileno(), ns=(now, now))


def flush_folder(folder: Path) -> None:
    """Write the names in `folder` to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
