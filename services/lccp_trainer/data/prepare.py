"""Tokenizing a source once: a shard for each of its files, in parallel, and resumed where it broke.

`lccp data prepare` writes the shards where later runs find them; a run whose source is text writes
them to its scratch, once on each node.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput
from lccp_trainer.data.documents import Unreadable, files_of, read_documents
from lccp_trainer.data.shards import INDEX, ShardIndex, ShardRecord, ShardWriter, write_index

DOCUMENTS_AT_ONCE = 256
"""Documents that the tokenizer gets in one call, which it spreads over the cores."""

Progress = Callable[[int, int], None]
"""Is told how many bytes of the input are done, and how many there are."""


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

    Files that an earlier try has done are left as they are. With `workers` above 1 the files are
    spread over as many processes, so `load_tokenizer` must be a function of a module.

    Raises:
        InvalidInput: a document can't be read and none may be left out, or none is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = files_of(path, where)
    sizes = [file.stat().st_size for file in files]
    earlier = ((number, _done(folder, number, file)) for number, file in enumerate(files))
    done = {number: record for number, record in earlier if record is not None}
    bytes_done = sum(sizes[number] for number in done)
    progress(bytes_done, sum(sizes))
    todo = [number for number in range(len(files)) if number not in done]
    tasks = [_Task(source, files[n], folder, n, load_tokenizer, where, bad) for n in todo]
    for number, record in _each(tasks, min(workers, len(tasks))):
        done[number] = record
        bytes_done += sizes[number]
        progress(bytes_done, sum(sizes))
    shards = tuple(done[number] for number in range(len(files)))
    index = ShardIndex(tokenizer_digest=tokenizer_digest, shards=shards)
    if not index.tokens:
        raise InvalidInput(f"{where}.path: {path} holds no text")
    write_index(folder, index)
    return index


@dataclass(frozen=True)
class _Task:
    """One file that becomes one shard."""

    source: DataSource
    file: Path
    folder: Path
    number: int
    load_tokenizer: Callable[[], Tokenizer]
    where: str
    bad: BadDocuments

    def run(self) -> ShardRecord:
        tokenizer, skipped = self.load_tokenizer(), 0
        texts: list[str] = []
        with ShardWriter(self.folder, _name(self.number)) as writer:
            for read in read_documents(self.source, self.file):
                if isinstance(read, Unreadable):
                    self.bad.refuse(read, skipped, self.where)
                    skipped += 1
                    continue
                texts.append(read.text)
                if len(texts) == DOCUMENTS_AT_ONCE:
                    writer.add(tokenized(texts, tokenizer))
                    texts.clear()
            writer.add(tokenized(texts, tokenizer))
            record = writer.close(str(self.file), skipped)
        _note(self.folder, self.number, self.file, record)
        return record


def _run(task: _Task) -> ShardRecord:
    return task.run()


def _each(tasks: list[_Task], workers: int) -> Iterator[tuple[int, ShardRecord]]:
    if workers <= 1:
        for task in tasks:
            yield task.number, task.run()
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running: dict[Future[ShardRecord], int] = {
            pool.submit(_run, task): task.number for task in tasks
        }
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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


def _note(folder: Path, number: int, file: Path, record: ShardRecord) -> None:
    """Write down that the shard is whole, and of which file."""
    noted = {"file": _fingerprint(file), "record": record.document()}
    part = folder / f".{_name(number)}.done.part"
    part.write_text(json.dumps(noted))
    part.replace(folder / f"{_name(number)}.done")


def _done(folder: Path, number: int, file: Path) -> ShardRecord | None:
    """The record of a shard that an earlier try made of the same file."""
    try:
        noted = json.loads((folder / f"{_name(number)}.done").read_bytes())
        record = ShardRecord.parse(noted["record"], "shard")
    except (OSError, ValueError, KeyError, InvalidInput):
        return None
    whole = (folder / f"{record.name}.tokens").is_file()
    return record if whole and noted["file"] == _fingerprint(file) else None


def _fingerprint(file: Path) -> list[Any]:
    stat = file.stat()
    return [str(file), stat.st_size, stat.st_mtime_ns]


def is_ready(folder: Path) -> bool:
    """Whether `prepare` has written `folder` to its end."""
    return (folder / INDEX).is_file()
