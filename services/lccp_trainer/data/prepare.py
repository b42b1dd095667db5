"""Tokenizing a source once: a shard for each of its files, in parallel, and resumed where it broke.

`lccp data prepare` writes the shards where later runs find them; a run whose source is text writes
them to its scratch, once on each node.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput, LccpError
from lccp_trainer.data.documents import files_of, read_documents
from lccp_trainer.data.lines import Unreadable
from lccp_trainer.data.shards import INDEX, ShardIndex, ShardRecord, ShardWriter, write_index

DOCUMENTS_AT_ONCE = 256
"""Documents that the tokenizer gets in one call, which it spreads over the cores."""

Progress = Callable[[int, int], None]
"""Is told how many bytes of the input are done, and how many there are; of a file that is under way
the bytes of its texts stand for its own."""

Tell = Callable[[int, int], None]
"""Is told the number of a file, and how many bytes of text were read of it."""

POLL_SECONDS = 0.5
PARALLELISM = "TOKENIZERS_PARALLELISM"


class Tokenizer(Protocol):
    """What is used of a Hugging Face tokenizer."""

    eos_token_id: int | None

    def __call__(self, text: list[str], *, verbose: bool) -> Any: ...


@dataclass(frozen=True)
class BadDocuments:
    """What a document that can't be read leads to: an end, or so many of a file are left out."""

    skipped_max: int = 0

    def refuse(self, found: Unreadable, skipped: int, where: str) -> None:
        """Raise InvalidInput, naming the document, if one more is too many."""
        if skipped < self.skipped_max:
            return
        more = f" ({skipped} before it were left out)" if skipped else ""
        raise InvalidInput(
            f"{where}.path: {found.place}: {found.reason}{more}: "
            "correct it, or raise badDocumentsMax"
        )


def prepare(
    source: DataSource,
    path: Path,
    folder: Path,
    load_tokenizer: Callable[[], Tokenizer],
    tokenizer_digest: str,
    where: str,
    *,
    bad: BadDocuments = BadDocuments(),
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> ShardIndex:
    """Tokenize the files of `source` at `path` into `folder`, and make it ready.

    Files that an earlier try with this tokenizer has done are left as they are. With `workers`
    above 1 the files are spread over as many processes, so `load_tokenizer` must be a function of a
    module.

    Raises:
        InvalidInput: a document can't be read and none may be left out, or none is left.
        LccpError: `folder` can't be written, or a process was killed.
    """
    files = files_of(path, where)
    sizes = [_size(file, where) for file in files]
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        _Task(source, file, folder, number, load_tokenizer, tokenizer_digest, where, bad)
        for number, file in enumerate(files)
    ]
    earlier = ((task.number, task.done()) for task in tasks)
    done = {number: record for number, record in earlier if record is not None}
    todo = [task for task in tasks if task.number not in done]
    if todo:
        with _writing(folder):
            (folder / INDEX).unlink(missing_ok=True)
    read = [sizes[number] if number in done else 0 for number in range(len(files))]

    def tell(number: int, text_bytes: int) -> None:
        read[number] = min(text_bytes, sizes[number])
        progress(sum(read), sum(sizes))

    progress(sum(read), sum(sizes))
    for number, record in _each(todo, min(workers, len(todo)), tell):
        done[number] = record
        tell(number, sizes[number])
    shards = tuple(done[number] for number in range(len(files)))
    index = ShardIndex(tokenizer_digest=tokenizer_digest, shards=shards)
    if not index.tokens:
        raise InvalidInput(f"{where}.path: {path} holds no text")
    with _writing(folder):
        write_index(folder, index)
    return index


def _size(file: Path, where: str) -> int:
    """Bytes of `file`. Raises InvalidInput if it can't be read, such as a link to nothing."""
    try:
        return file.stat().st_size
    except OSError as error:
        raise InvalidInput(f"{where}.path: {file}: can't be read: {error.strerror}") from None


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raises LccpError, naming `folder`, where the block can't write to it."""
    try:
        yield
    except OSError as error:
        raise LccpError(f"{folder}: can't be written: {error.strerror}") from None


@dataclass(frozen=True)
class _Task:
    """One file that becomes one shard."""

    source: DataSource
    file: Path
    folder: Path
    number: int
    load_tokenizer: Callable[[], Tokenizer]
    tokenizer_digest: str
    where: str
    bad: BadDocuments

    def run(self, tell: Tell) -> ShardRecord:
        """Write the shard. Raises InvalidInput, or LccpError where it can't be written."""
        with _writing(self.folder):
            record = self._written(tell)
            self._note(record)
        return record

    def _written(self, tell: Tell) -> ShardRecord:
        tokenizer, skipped, text_bytes = self.load_tokenizer(), 0, 0
        texts: list[str] = []
        with ShardWriter(self.folder, _name(self.number)) as writer:
            for read in read_documents(self.source, self.file):
                if isinstance(read, Unreadable):
                    self.bad.refuse(read, skipped, self.where)
                    skipped += 1
                    continue
                texts.append(read.text)
                text_bytes += len(read.text.encode())
                if len(texts) == DOCUMENTS_AT_ONCE:
                    writer.add(tokenized(texts, tokenizer))
                    texts.clear()
                    tell(self.number, text_bytes)
            writer.add(tokenized(texts, tokenizer))
            return writer.close(str(self.file), skipped)

    def done(self) -> ShardRecord | None:
        """The record of the shard, if an earlier try made it of the same file, and alike."""
        try:
            noted = json.loads((self.folder / f"{_name(self.number)}.done").read_bytes())
            record = ShardRecord.parse(noted["record"], "shard")
        except (OSError, ValueError, KeyError, InvalidInput):
            return None
        whole = (self.folder / f"{record.name}.tokens").is_file()
        whole = whole and record.skipped <= self.bad.skipped_max
        return record if whole and noted["from"] == self._origin() else None

    def _note(self, record: ShardRecord) -> None:
        """Write down that the shard is whole, and from what it was made."""
        noted = {"from": self._origin(), "record": record.document()}
        part = self.folder / f".{_name(self.number)}.done.part"
        part.write_text(json.dumps(noted))
        part.replace(self.folder / f"{_name(self.number)}.done")

    def _origin(self) -> list[Any]:
        stat, source = self.file.stat(), self.source
        read = [source.format, source.text_field, self.tokenizer_digest]
        return [str(self.file.resolve()), stat.st_size, stat.st_mtime_ns, *read]


def _each(tasks: list[_Task], workers: int, tell: Tell) -> Iterator[tuple[int, ShardRecord]]:
    """The record of each task, as it is done; one process alone uses every core by itself."""
    with _tokenizer_threads(workers <= 1):
        if workers > 1:
            yield from _each_spread(tasks, workers, tell)
            return
        for task in tasks:
            yield task.number, task.run(tell)


def _each_spread(tasks: list[_Task], workers: int, tell: Tell) -> Iterator[tuple[int, ShardRecord]]:
    spawn = get_context("spawn")
    read = spawn.RawArray("Q", max(task.number for task in tasks) + 1)
    with ProcessPoolExecutor(workers, spawn, initializer=_share, initargs=(read,)) as pool:
        running = {pool.submit(_run, task): task.number for task in tasks}
        try:
            while running:
                ended, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                for future in ended:
                    yield running.pop(future), future.result()
                for number in running.values():
                    tell(number, read[number])
        except BrokenProcessPool:
            raise LccpError(
                f"{tasks[0].where}: a process that tokenizes was killed, perhaps since memory ran "
                "out: try again with fewer --workers; files that are done are kept"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_shared: Any = None
"""In a process of the pool: bytes of text that were read, by the number of the file."""


def _share(read: Any) -> None:
    global _shared
    _shared = read


def _run(task: _Task) -> ShardRecord:
    return task.run(_shared.__setitem__)


@contextmanager
def _tokenizer_threads(allowed: bool) -> Iterator[None]:
    """Inside, a call of the tokenizer may use every core, or one."""
    before = os.environ.get(PARALLELISM)
    os.environ[PARALLELISM] = "true" if allowed else "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PARALLELISM]
        else:
            os.environ[PARALLELISM] = before


def tokenized(texts: list[str], tokenizer: Tokenizer) -> Iterable[np.ndarray[Any, Any]]:
    """Token ids of each text, with the tokenizer's own marks and an end-of-text token."""
    if not texts:
        return
    end = tokenizer.eos_token_id
    for ids in tokenizer(texts, verbose=False)["input_ids"]:
        closed = ids if end is None or ids[-1:] == [end] else [*ids, end]
        yield np.array(closed, dtype=np.uint32)


def _name(number: int) -> str:
    return f"shard-{number:05d}"


def is_ready(folder: Path) -> bool:
    """Whether `prepare` has written `folder` to its end."""
    return (folder / INDEX).is_file()
