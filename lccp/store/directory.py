"""Upload and download of directories (checkpoints, training states), in parallel, with SHA-256."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from lccp.api.objects.manifest import FileRecord
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.store.keys import check_key
from lccp.store.local import open_source
from lccp.store.port import Store

_READ_BACK_BYTES_MAX = 1 << 20
TICK_SECONDS = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


def file_record(path: Path) -> FileRecord:
    """Size and SHA-256 of the file at `path`.

    Raises InvalidInput if it cannot be opened, and OSError, which names it, if its disk fails.
    """
    with open_source(path) as file:
        try:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        return FileRecord(size=file.tell(), sha256=digest)


def upload_directory(
    store: Store,
    directory: Path,
    prefix: str,
    workers: int = 4,
    on_bytes: Callable[[int], None] | None = None,
    names: Iterable[str] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> dict[str, FileRecord]:
    """Write every file below `directory` under `prefix`; returns records by relative path.

    `names` limits the files, if not all are meant. `tick` is called every second, in the calling
    thread; an error that it raises ends the upload once the files in flight have arrived.

    The size of each file in the store is checked, and the content of those up to 1 MiB.
    `on_bytes` receives the size of each file that arrived, in the calling thread.

    Raises:
        InvalidInput: there is nothing to upload, or a file cannot be read.
        StoreUnavailable: the store does not answer, or stored other bytes than were sent.
    """
    given = directory.rglob("*") if names is None else (directory / name for name in names)
    paths = sorted(path for path in given if path.is_file())
    if not paths:
        raise InvalidInput(f"directory {directory}: contains no file to upload")

    def upload(path: Path) -> tuple[str, FileRecord]:
        name = path.relative_to(directory).as_posix()
        return name, _upload_file(store, path, f"{_folder(prefix)}{name}")

    records = {}
    for name, record in in_parallel(upload, paths, workers, tick):
        records[name] = record
        if on_bytes:
            on_bytes(record.size)
    return dict(sorted(records.items()))


def download_directory(
    store: Store,
    prefix: str,
    files: Mapping[str, FileRecord],
    directory: Path,
    workers: int = 4,
    on_bytes: Callable[[int], None] | None = None,
) -> None:
    """Fetch `files`, by path below `prefix`, into `directory`, which appears once all are there.

    `on_bytes` receives the size of each file that arrived, in the calling thread.

    Raises:
        InvalidInput: `directory` is not empty, or an object differs from its record; the message
            names its key.
        NotFound: an object is missing.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InvalidInput(f"directory {directory}: exists already and is not empty")
    part = directory.with_name(f".{directory.name}.{uuid.uuid4().hex[:8]}.part")

    def download(item: tuple[str, FileRecord]) -> int:
        name, record = item
        check_key(name)
        _download_file(store, f"{_folder(prefix)}{name}", record, part / name)
        return record.size

    try:
        part.mkdir(parents=True)
        for size in in_parallel(download, files.items(), workers):
            if on_bytes:
                on_bytes(size)
        os.replace(part, directory)
    except OSError as error:
        raise InvalidInput(f"directory {directory}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def delete_prefix(store: Store, prefix: str, workers: int = 4, last: str | None = None) -> None:
    """Delete all objects below the folder `prefix`, manifests first, the object `last` at the end.

    An interrupted deletion therefore leaves nothing that looks complete. Up to `workers`
    objects are deleted in the calling thread: starting threads would take longer.
    """
    keys = {info.key for info in store.list(_folder(prefix))}
    manifests = {key for key in keys if key.endswith("/manifest.json")}
    end = keys & {last}
    for some in map(sorted, (manifests, keys - manifests - end, end)):
        few = len(some) <= workers
        for _ in map(store.delete, some) if few else in_parallel(store.delete, some, workers):
            pass


def _upload_file(store: Store, path: Path, key: str) -> FileRecord:
    record = file_record(path)
    store.put_file(key, path)
    arrived = store.stat(key)
    if arrived is None or arrived.size != record.size:
        size = arrived.size if arrived else 0
        raise StoreUnavailable(
            f"store {store.url}: {key}: {size} of {record.size} bytes arrived: upload it again"
        )
    if record.size <= _READ_BACK_BYTES_MAX and _sha256(store.get(key)) != record.sha256:
        raise StoreUnavailable(
            f"store {store.url}: {key}: does not contain what was sent: upload it again"
        )
    return record


def _download_file(store: Store, key: str, record: FileRecord, path: Path) -> None:
    store.get_file(key, path)
    found = file_record(path)
    if found.size != record.size:
        raise InvalidInput(
            f"store {store.url}: {key}: is damaged: has {found.size} bytes, not {record.size}"
        )
    if found.sha256 != record.sha256:
        raise InvalidInput(
            f"store {store.url}: {key}: is damaged: its SHA-256 is not the recorded one"
        )


def in_parallel(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Results of `work` as they come; the first error cancels work that has not started.

    `tick` is called at least every second; an error that it raises counts, too.
    """
    with ThreadPoolExecutor(workers) as pool:
        try:
            pending = {pool.submit(work, item) for item in items}
            while pending:
                done, pending = wait(pending, TICK_SECONDS, FIRST_COMPLETED)
                tick()
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _folder(prefix: str) -> str:
    """`prefix` with a trailing slash: `ns/run` must not match `ns/run2`."""
    check_key(prefix.removesuffix("/"))
    return f"{prefix.removesuffix('/')}/"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
