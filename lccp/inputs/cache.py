"""A folder of fetched inputs: each of them once, complete, under its digest."""

import fcntl
import hashlib
import os
import queue
import shutil
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lccp.api.objects.inputs import Input
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.inputs.ranges import part_of, write_origin
from lccp.inputs.remote import Remote, Wanted

DIRECTORY = "LCCP_CACHE"
"""Environment variable that names the folder."""
WORKERS = 8
TICK_SECONDS = 0.5
DIGITS = 24
HUBS_NOTES = ".cache"
"""Folder that the hub's library writes beside the files: what it needs to resume."""

Tick = Callable[[int], None]
"""Called twice a second during a fetch, with the bytes that are here; an error that it raises
ends the fetch."""


def cache_directory(environ: Mapping[str, str]) -> Path:
    """The folder that `environ` names, else ~/.cache/lccp."""
    given = environ.get(DIRECTORY)
    return Path(given) if given else Path.home() / ".cache" / "lccp"


def cached(
    found: Input,
    remote: Remote,
    directory: Path,
    where: str,
    tick: Tick,
    wanted: Wanted | None = None,
) -> Path:
    """Path of `found` in `directory`, fetched from `remote` unless it is there already.

    Of two processes that need the same input, one fetches; an interrupted fetch keeps its files.

    Args:
        where: field of the spec, for messages.
        wanted: which files are fetched, beside a note of where the others are (`ranges.py`);
            None: all.

    Raises:
        InvalidInput: the folder can't be written, is too full, or `remote` refuses.
        StoreUnavailable: `remote` does not answer, or a file arrives damaged.
    """
    whole = directory / (found.digest[:DIGITS] + ("-part" if wanted else ""))
    needed = found if wanted is None else part_of(found, wanted)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(whole.with_suffix(".lock"), tick):
            if not whole.is_dir():
                part = whole.with_suffix(".part")
                part.mkdir(exist_ok=True)
                _clear(needed, part)
                _complete(needed, remote, part, where, tick)
                shutil.rmtree(part / HUBS_NOTES, ignore_errors=True)
                if wanted is not None and (part / found.path).is_dir():
                    write_origin(part / found.path, found)
                os.replace(part, whole)
    except OSError as error:
        raise InvalidInput(
            f"{where}: the folder {directory} can't be written ({error.strerror or error}): set "
            f"{DIRECTORY} to one that can"
        ) from None
    return whole / found.path


@contextmanager
def _locked(path: Path, tick: Tick) -> Iterator[None]:
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                tick(0)
                threading.Event().wait(TICK_SECONDS)
        yield


def _clear(found: Input, part: Path) -> None:
    """Delete files that a killed process left half written; the hub resumes its own."""
    for path in part.rglob("*"):
        name = path.relative_to(part)
        wanted = str(name) in found.files or name.parts[0] == HUBS_NOTES
        if not wanted and not path.is_dir():
            path.unlink(missing_ok=True)


def _complete(found: Input, remote: Remote, part: Path, where: str, tick: Tick) -> None:
    missing = [name for name in found.files if _size(part / name) != found.files[name].size]
    _check_room(sum(found.files[name].size for name in missing), part, where)

    def fetch(name: str) -> None:
        (part / name).unlink(missing_ok=True)
        remote.get(found, name, part)
        _verify(found, name, part, where)

    _in_threads(fetch, missing, lambda: tick(min(found.size, _bytes_below(part))))


def _check_room(needed: int, part: Path, where: str) -> None:
    free = shutil.disk_usage(part).free
    if needed > free:
        raise InvalidInput(
            f"{where}: {needed / 1e9:.1f} GB must be fetched, but {part.parent} has room for "
            f"{free / 1e9:.1f} GB: set {DIRECTORY} to a folder of a larger volume"
        )


def _verify(found: Input, name: str, part: Path, where: str) -> None:
    """Raise StoreUnavailable, and delete the file, if it differs from what was found."""
    file, path = found.files[name], part / name
    intact = _size(path) == file.size
    if intact and file.sha256 is not None:
        with path.open("rb") as opened:
            intact = hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
    if not intact:
        path.unlink(missing_ok=True)
        raise StoreUnavailable(
            f"{where}: {found.location}: {name} was damaged in transfer: fetch it again"
        )


def _in_threads(work: Callable[[str], None], names: list[str], tick: Callable[[], None]) -> None:
    """`work` on all names; the first error ends it. Hanging threads do not outlive the process."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        waiting.put(name)
    errors: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        while not errors and not ended.is_set():
            try:
                work(waiting.get_nowait())
            except queue.Empty:
                return
            except BaseException as error:
                errors.append(error)

    threads = [
        threading.Thread(target=run, name=f"fetch-{number}", daemon=True)
        for number in range(min(WORKERS, len(names)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                tick()
                thread.join(TICK_SECONDS)
    finally:
        ended.set()
    if errors:
        raise errors[0]


def _size(path: Path) -> int | None:
    """Size of a file, which another thread may rename or delete at any moment."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _bytes_below(folder: Path) -> int:
    return sum(_size(path) or 0 for path in folder.rglob("*"))
