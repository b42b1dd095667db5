"""`file://`: a store in a folder of a POSIX file system, local or shared."""

import io
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from lccp.contract.errors import (
    Conflict,
    InvalidInput,
    LccpError,
    NotFound,
    StoreRefused,
    StoreUnavailable,
)
from lccp.contract.file_systems import LOST_AND_FOUND
from lccp.store import posix
from lccp.store.keys import check_key
from lccp.store.local import CHUNK_BYTES, atomic_write, open_source
from lccp.store.port import Entry, ObjectInfo, StoreLevel

_HIDDEN = ".lccp"
_NO_OBJECTS = (_HIDDEN, LOST_AND_FOUND)
"""Folders directly below the root."""
_ABANDONED_SECONDS = 24 * 3600
LOCK_SECONDS = 30.0
_LOCK_POLL_SECONDS = 0.002


class FileStore:
    """Objects as plain files below `root`; the first write creates that folder.

    A write goes to a file below `root/.lccp/` and is flushed to disk; then the file is renamed to
    its place, or linked there for put-if-absent. Putting an object in its place or deleting it
    takes the lock `.lccp/lock`; the last object of a folder takes the folder along, but not one
    directly below `root` (a namespace's, whose owner and rights an administrator may have set). An
    ETag consists of time, inode and size, so that listing reads no content.

    A missing folder is an input error, unless it was there before: then the store is down.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._seen: Path | None = None

    @property
    def url(self) -> str:
        return f"file://{self._root}"

    def get(self, key: str) -> bytes:
        return self.get_entry(key).data

    def get_entry(self, key: str) -> Entry:
        with self._reading(key) as file:
            return Entry(file.read(), posix.etag(os.fstat(file.fileno())))

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> bytes:
        with self._reading(key) as file:
            if etag not in (None, posix.etag(os.fstat(file.fileno()))):
                raise Conflict(f"store {self.url}: {key} was changed by another writer")
            file.seek(start)
            return file.read(length)

    def put(self, key: str, data: bytes) -> str:
        return self._put(key, io.BytesIO(data))

    def put_if_absent(self, key: str, data: bytes) -> str:
        with (
            self._mapped(key),
            self._finished(io.BytesIO(data)) as finished,
            self._locked(),
        ):
            target = self._target(key)
            etag = posix.etag(finished.stat())
            try:
                os.link(finished, target)
            except FileExistsError:
                raise Conflict(f"store {self.url}: {key} exists already") from None
            posix.flush_folder(target.parent)
            return etag

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        with (
            self._mapped(key),
            self._finished(io.BytesIO(data)) as finished,
            self._locked(),
        ):
            current = self.stat(key)
            if current is None or current.etag != etag:
                raise Conflict(f"store {self.url}: {key} was changed by another writer")
            return self._replace(finished, key)

    def get_file(self, key: str, path: Path) -> None:
        with self._reading(key) as file, atomic_write(path) as write:
            while chunk := file.read(CHUNK_BYTES):
                write(chunk)

    def put_file(self, key: str, path: Path) -> None:
        with open_source(path) as source:
            self._put(key, source)

    def stat(self, key: str) -> ObjectInfo | None:
        with self._mapped(key):
            self._check_root()
            return posix.object_info(key, self._path(key))

    def list(self, prefix: str) -> list[ObjectInfo]:
        return list(self.scan(prefix))

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        below = prefix.rpartition("/")[0]
        but = [f"{name}/" for name in _NO_OBJECTS]
        with self._mapped(prefix):
            self._check_root()
            folder = self._path(below) if below else self._root
            for info in posix.files(folder, f"{below}/" if below else "", but):
                if info.key.startswith(prefix):
                    yield info

    def level(self, prefix: str) -> StoreLevel:
        with self._mapped(prefix):
            self._check_root()
            names = posix.names(self._path(prefix.removesuffix("/")) if prefix else self._root)
            keys = [prefix + name for name in names if prefix or name not in _NO_OBJECTS]
            infos = [posix.object_info(key, self._root / key) for key in keys]
            prefixes = [f"{key}/" for key in keys if posix.holds_a_file(self._root / key)]
        return StoreLevel([info for info in infos if info], prefixes)

    def delete(self, key: str) -> None:
        with self._mapped(key), self._locked():
            path = self._path(key)
            try:
                path.unlink()
            except posix.ABSENT:
                return
            posix.remove_empty(path.parent, self._root / key.split("/")[0])

    def _put(self, key: str, source: BinaryIO) -> str:
        with self._mapped(key), self._finished(source) as finished, self._locked():
            return self._replace(finished, key)

    def _replace(self, finished: Path, key: str) -> str:
        target, etag = self._target(key), posix.etag(finished.stat())
        os.replace(finished, target)
        posix.flush_folder(target.parent)
        return etag

    @contextmanager
    def _reading(self, key: str) -> Iterator[BinaryIO]:
        with self._mapped(key):
            self._check_root()
            try:
                file = self._path(key).open("rb")
            except posix.ABSENT:
                raise NotFound(f"store {self.url}: there is no object {key}") from None
            with file:
                yield file

    @contextmanager
    def _finished(self, source: BinaryIO) -> Iterator[Path]:
        """Yield a hidden file with the content of `source`, flushed to disk; it is temporary."""
        path = self._hidden / uuid.uuid4().hex
        file = path.open("xb")
        try:
            with file:
                while chunk := source.read(CHUNK_BYTES):
                    file.write(chunk)
                file.flush()
                posix.stamp(file)
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._hidden / "lock").open("ab") as lock:
            deadline = time.monotonic() + LOCK_SECONDS
            while not posix.try_lock(lock):
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"store {self.url}: another process holds its lock")
                time.sleep(_LOCK_POLL_SECONDS)
            yield

    @cached_property
    def _hidden(self) -> Path:
        """The folder of unfinished writes, cleared of leftovers of killed writers."""
        folder = self._root / _HIDDEN
        self._check_away()
        folder.mkdir(parents=True, exist_ok=True)
        self._seen = folder
        abandoned = time.time() - _ABANDONED_SECONDS
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name != "lock" and path.stat().st_mtime < abandoned:
                    path.unlink()
        return folder

    def _path(self, key: str) -> Path:
        check_key(key)
        if key.split("/", 1)[0] == _HIDDEN:
            raise InvalidInput(f"key {key!r}: must not begin with {_HIDDEN}/, which is reserved")
        return self._root / key

    def _target(self, key: str) -> Path:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _check_root(self) -> None:
        self._check_away()
        if not self._root.is_dir():
            raise StoreRefused(f"store {self.url}: there is no such folder")
        if self._seen is None:
            hidden = self._root / _HIDDEN
            self._seen = hidden if hidden.is_dir() else self._root

    def _check_away(self) -> None:
        if self._is_away():
            there = self._seen != self._root and os.path.isdir(self._root)
            lacks = f"its folder lacks {_HIDDEN}: mount what was there, or make {_HIDDEN} again"
            told = lacks if there else "its folder is gone, or may not be entered"
            raise StoreUnavailable(f"store {self.url}: {told}")

    def _is_away(self) -> bool:
        """Whether the folder that was seen is gone; a lost mount may leave an empty mount point."""
        return self._seen is not None and not os.path.isdir(self._seen)

    @contextmanager
    def _mapped(self, key: str) -> Iterator[None]:
        """The one place where errors of the file system become errors of the store."""
        try:
            yield
        except LccpError:
            raise
        except OSError as error:
            raise self._error_of(error, f"store {self.url}: {key or 'its root'}") from None

    def _error_of(self, error: OSError, place: str) -> LccpError:
        """Other keys can be used although a path is impossible, unless the store never worked."""
        named = error.errno in posix.OF_A_PATH and error.filename is not None
        if self._is_away() or not (named or error.errno in posix.OF_A_FILE_SYSTEM):
            return StoreUnavailable(f"{place}: {error.strerror}")
        refused = InvalidInput if named and self._seen is not None else StoreRefused
        return refused(f"{place}: may not be used ({error.strerror})")
