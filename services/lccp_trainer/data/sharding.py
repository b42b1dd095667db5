"""Turns one file of a source into one shard: reads, tokenizes, writes, and recognizes it later."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput, LccpError
from lccp_trainer.data.documents import read_documents
from lccp_trainer.data.lines import Unreadable
from lccp_trainer.data.shards import ShardRecord, Tokens, fault_of

DOCUMENTS_AT_ONCE = 256
"""Documents that the tokenizer gets in one call, which it spreads over the cores."""

Tell = Callable[[int, int], None]
"""Called with the number of a file, and the bytes of text read from it."""


class Tokenizer(Protocol):
    """The methods used of a Hugging Face tokenizer."""

    eos_token_id: int | None

    def __call__(self, text: list[str], *, verbose: bool) -> Any: ...


@dataclass(frozen=True)
class BadDocuments:
    """Treatment of documents that can't be read: an error, or up to so many per file left out.

    A file that can't be read to its end is always an error.
    """

    skipped_max: int = 0

    def refuse(self, found: Unreadable, skipped: int, where: str) -> None:
        """Raise InvalidInput, naming the document, if one more is too many."""
        if skipped < self.skipped_max and not found.ends_file:
            return
        more = f" ({skipped} before it were left out)" if skipped else ""
        advice = "" if ": " in found.reason else ": correct it, or raise badDocumentsMax"
        raise InvalidInput(f"{where}.path: {found.place}: {found.reason}{more}{advice}")


NONE_LEFT_OUT = BadDocuments()


class ShardWriter:
    """Writes one shard, as a context; `close` gives the files their final names."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._offsets = [0]
        self._sha256 = hashlib.sha256()
        self._part = folder / f".{name}.tokens.part"
        self._file = self._part.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, documents: Iterable[Tokens]) -> None:
        for tokens in documents:
            data = np.ascontiguousarray(tokens, dtype="<u4").tobytes()
            self._file.write(data)
            self._sha256.update(data)
            self._offsets.append(self._offsets[-1] + len(tokens))

    def close(self, source: str, skipped: int = 0, end: int | None = None) -> ShardRecord:
        """The record of the shard, whose files are now complete."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        offsets = np.array(self._offsets, dtype="<i8").tobytes()
        self._sha256.update(offsets)
        (self._folder / f"{self._name}.offsets").write_bytes(offsets)
        self._part.replace(self._folder / f"{self._name}.tokens")
        return ShardRecord(
            name=self._name,
            input=source,
            documents=len(self._offsets) - 1,
            tokens=self._offsets[-1],
            skipped=skipped,
            end=end,
            sha256=self._sha256.hexdigest(),
        )


@dataclass(frozen=True)
class ShardTask:
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
        """Write the shard.

        Raises:
            InvalidInput: the file, or a document in it, can't be read.
            LccpError: the shard can't be written, or the file changed meanwhile.
        """
        origin = self._origin()
        with writing(self.folder):
            record = self._written(tell)
        if self._origin() != origin:
            raise LccpError(
                f"{self.where}.path: {self.file} changed while it was read: try again once nobody "
                "writes to it"
            )
        with writing(self.folder):
            self._note(record, origin)
        return record

    def _written(self, tell: Tell) -> ShardRecord:
        tokenizer, skipped, text_bytes = self.load_tokenizer(), 0, 0
        texts: list[str] = []
        with ShardWriter(self.folder, shard_name(self.number)) as writer:
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
            return writer.close(str(self.file), skipped, tokenizer.eos_token_id)

    def done(self) -> ShardRecord | None:
        """The record of the shard, if an earlier try made it from the same file in the same way."""
        try:
            noted = json.loads((self.folder / f"{shard_name(self.number)}.done").read_bytes())
            record = ShardRecord.parse(noted["record"], "shard")
        except (OSError, ValueError, KeyError, InvalidInput):
            return None
        usable = fault_of(self.folder, record) is None and record.skipped <= self.bad.skipped_max
        same = usable and noted["from"] == self._origin()
        return record if same and record.end in (None, self.load_tokenizer().eos_token_id) else None

    def _note(self, record: ShardRecord, origin: list[Any]) -> None:
        """Record that the shard is complete, and what it was made from."""
        noted = {"from": origin, "record": record.document()}
        part = self.folder / f".{shard_name(self.number)}.done.part"
        part.write_text(json.dumps(noted))
        part.replace(self.folder / f"{shard_name(self.number)}.done")

    def _origin(self) -> list[Any]:
        stat, source = status_of(self.file, self.where), self.source
        read = [source.format, source.text_field, self.tokenizer_digest]
        return [str(self.file.resolve()), stat.st_size, stat.st_mtime_ns, *read]


def status_of(file: Path, where: str) -> os.stat_result:
    """Size and times of `file`. Raises InvalidInput if it has none, such as a dangling link."""
    try:
        return file.stat()
    except OSError as error:
        raise InvalidInput(f"{where}.path: {file}: can't be read: {error.strerror}") from None


def tokenized(texts: list[str], tokenizer: Tokenizer) -> Iterable[np.ndarray[Any, Any]]:
    """Token ids of each text, with the tokenizer's own marks and an end-of-text token."""
    if not texts:
        return
    end = tokenizer.eos_token_id
    for ids in tokenizer(texts, verbose=False)["input_ids"]:
        closed = ids if end is None or ids[-1:] == [end] else [*ids, end]
        yield np.array(closed, dtype=np.uint32)


def shard_name(number: int) -> str:
    return f"shard-{number:05d}"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raises LccpError, naming `folder`, if the block can't write to it."""
    try:
        yield
    except OSError as error:
        raise LccpError(f"{folder}: can't be written: {error.strerror}") from None
