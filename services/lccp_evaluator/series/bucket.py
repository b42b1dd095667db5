"""Checkpoints below a prefix of a bucket, seen as a folder, and fetched once they are complete."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath

from lccp.contract.errors import Conflict, InvalidInput, NotFound
from lccp.model_config import CONFIG
from lccp.store.directory import in_parallel
from lccp.store.keys import check_key
from lccp.store.port import ObjectInfo, Store
from lccp_evaluator.series.conversion import Stamps
from lccp_evaluator.series.files import HEADER_BYTES_MAX, HEADER_SIZE_BYTES, INDEX_SUFFIX
from lccp_evaluator.series.formats import Format
from lccp_evaluator.series.tokens import TRAINER_STATE

READ = frozenset({CONFIG, TRAINER_STATE})
"""Files whose content shows whether a checkpoint is complete, and its tokens; so do indexes."""
WORKERS = 4


class Mirror:
    """The objects of `store` as files of two folders in `folder`, which is created.

    `listed` has a file for each object, of its size but without its content, except for the files
    in READ, indexes, the `index` of tokens, and the headers of weights. `fetched` has whole
    checkpoints. A file's modification time is its object's, with digits of the ETag as nanoseconds,
    so changed contents have changed stamps.

    `tick` is called every second of a fetch; an exception from it ends the fetch.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        index: str | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.url = store.url
        self.listed = folder / "listed" / PurePosixPath(store.url).name
        self.fetched = folder / "fetched"
        self._store, self._tick = store, tick
        self._read = READ | {index}
        self._known: dict[str, ObjectInfo] = {}
        shutil.rmtree(self.listed, ignore_errors=True)
        try:
            self.listed.mkdir(parents=True)
        except OSError as error:
            raise InvalidInput(f"{self.listed}: can't be created: {error.strerror}") from None

    def look(self) -> None:
        """Bring `listed` up to date. Raises InvalidInput, or StoreUnavailable."""
        found = _files({info.key: info for info in self._store.list("")})
        try:
            for name in self._known.keys() - found.keys():
                _remove(self.listed / name, self.listed)
                del self._known[name]
            for name, info in found.items():
                if self._known.get(name) != info:
                    self._list(info)
        except OSError as error:
            raise InvalidInput(f"{self.listed}: can't be written: {error.strerror}") from None

    def _list(self, info: ObjectInfo) -> None:
        path = self.listed / info.key
        with suppress(NotFound):  # deleted since it was listed
            head = self._head(info)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(head)
                file.truncate(info.size)
            _stamp(path, info)
            self._known[info.key] = info

    def _head(self, info: ObjectInfo) -> bytes:
        name = PurePosixPath(info.key).name
        if name in self._read or name.endswith(INDEX_SUFFIX):
            return self._store.get(info.key)
        if not name.endswith(".safetensors") or info.size == 0:
            return b""
        size = self._store.get_range(info.key, 0, HEADER_SIZE_BYTES)
        length = min(int.from_bytes(size, "little"), HEADER_BYTES_MAX)
        return self._store.get_range(info.key, 0, HEADER_SIZE_BYTES + length)

    def whole(self, path: Path) -> Path:
        """The folder in `fetched` of the checkpoint in `path`, a folder in `listed`."""
        return self.fetched / path.relative_to(self.listed)

    def fetch(self, path: Path, names: Mapping[str, object]) -> None:
        """Fetch the files `names` of a checkpoint, except for those that are there already.

        Raises:
            InvalidInput: the disk has no room for them, or the bucket refuses.
            Conflict: an object changed meanwhile.
            StoreUnavailable: the bucket does not answer within the retries of its store.
        """
        whole, below = self.whole(path), path.relative_to(self.listed)
        infos = {whole / name: self._known[(below / name).as_posix()] for name in names}
        try:
            missing = {to: info for to, info in infos.items() if not _is_stamped(to, info)}
            whole.mkdir(parents=True, exist_ok=True)
            self._check_room(whole, sum(info.size for info in missing.values()))
            for _ in in_parallel(self._fetch, missing.items(), WORKERS, self._tick):
                pass
        except NotFound:
            raise Conflict(f"{path.name}: was deleted while it was fetched") from None
        except OSError as error:
            raise InvalidInput(f"{whole}: can't be written: {error.strerror}") from None

    def _fetch(self, item: tuple[Path, ObjectInfo]) -> None:
        path, info = item
        self._store.get_file(info.key, path)
        now = self._store.stat(info.key)
        if now is None or now.etag != info.etag or path.stat().st_size != info.size:
            raise Conflict(f"{self.url}/{info.key}: was changed while it was fetched")
        _stamp(path, info)

    def _check_room(self, folder: Path, needed: int) -> None:
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise InvalidInput(
                f"{needed / 1e9:.1f} GB must be fetched, but {folder} has room for "
                f"{free / 1e9:.1f} GB"
            )


class InBucket:
    """Checkpoints of the format `inner` in a bucket: making the model starts with a fetch."""

    making = "being fetched"

    def __init__(self, mirror: Mirror, inner: Format) -> None:
        self._mirror, self._inner = mirror, inner
        self._made: dict[Path, Stamps] = {}

    def found(self, folder: Path) -> list[Path]:
        self._mirror.look()
        with self._by_url():
            return self._inner.found(folder)

    def stamps(self, path: Path) -> Stamps:
        with self._by_url():
            return self._inner.stamps(path)

    def check_whole(self, path: Path) -> None:
        with self._by_url():
            self._inner.check_whole(path)

    def model(self, path: Path) -> Path:
        return self._inner.model(self._mirror.whole(path))

    def converted(self, path: Path, files: Stamps) -> bool:
        if self._made.get(path) == files:
            return True
        try:
            return self._inner.converted(self._mirror.whole(path), files)
        except InvalidInput:  # not fetched, or deleted since
            return False

    def convert(self, path: Path, files: Stamps) -> None:
        self._mirror.fetch(path, files)
        self._mirror.look()
        if self.stamps(path) != files:
            raise Conflict(f"{path.name}: was changed while it was fetched")
        whole = self._mirror.whole(path)
        if not self.converted(path, files):
            self._inner.convert(whole, files)
        if self.model(path) != whole:
            shutil.rmtree(whole, ignore_errors=True)
        self._made[path] = files

    @contextmanager
    def _by_url(self) -> Iterator[None]:
        """Have messages name the bucket instead of the folder."""
        try:
            yield
        except InvalidInput as error:
            told = str(error).replace(str(self._mirror.listed), self._mirror.url)
            raise InvalidInput(told) from None


def _files(found: dict[str, ObjectInfo]) -> dict[str, ObjectInfo]:
    """Objects whose key can be a file's path: it is safe, and no other object's folder."""
    folders = {str(parent) for key in found for parent in PurePosixPath(key).parents}
    return {key: info for key, info in found.items() if key not in folders and _is_safe(key)}


def _is_safe(key: str) -> bool:
    try:
        check_key(key)
    except InvalidInput:
        return False
    return True


def _time_ns(info: ObjectInfo) -> int:
    since = info.modified - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86_400 + since.seconds
    return seconds * 10**9 + int(sha256(info.etag.encode()).hexdigest(), 16) % 10**9


def _stamp(path: Path, info: ObjectInfo) -> None:
    os.utime(path, ns=(_time_ns(info), _time_ns(info)))


def _is_stamped(path: Path, info: ObjectInfo) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return (status.st_size, status.st_mtime_ns) == (info.size, _time_ns(info))


def _remove(path: Path, top: Path) -> None:
    """Delete a file, and the folders up to `top` that it leaves empty."""
    path.unlink(missing_ok=True)
    with suppress(OSError):
        for folder in path.parents:
            if folder == top:
                break
            folder.rmdir()
