"""Tokenized documents on disk: token files, their offsets, and an index that names them all.

A folder of shards holds `index.json` and, for each shard, `<name>.tokens` (uint32, little-endian,
one document after another) and `<name>.offsets` (int64, where each document begins, and the
end). The index is written last: without it the folder is not ready.
"""

import errno
import hashlib
import os
import resource
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput

Tokens = NDArray[np.uint32]
INDEX = "index.json"
ENDINGS = ("tokens", "offsets")
READ_BYTES = 4096
"""Up to this size a file is read, not mapped: systems limit the number of maps."""


class ShardRecord(Contract):
    """One shard: the documents of one file."""

    name: Annotated[str, Field(description="Name of its files, without their endings.")]
    input: Annotated[str, Field(description="File that was tokenized.")]
    documents: Annotated[int, Field(ge=0, description="Documents.")]
    tokens: Annotated[int, Field(ge=0, description="Tokens.")]
    skipped: Annotated[int, Field(ge=0, description="Documents that could not be read.")] = 0
    end: Annotated[int | None, Field(description="Id that ends each document, if known.")] = None
    sha256: Annotated[str, Field(description="SHA-256 of tokens and offsets, one after the other.")]


class ShardIndex(StoreObject):
    """`index.json` of a folder of shards."""

    SCHEMA_VERSION: ClassVar[int] = 1

    tokenizer_digest: Annotated[str, Field(description="Digest of the tokenizer.")]
    shards: Annotated[tuple[ShardRecord, ...], Field(description="In the documents' order.")]

    @property
    def documents(self) -> int:
        return sum(shard.documents for shard in self.shards)

    @property
    def tokens(self) -> int:
        return sum(shard.tokens for shard in self.shards)

    @property
    def file_names(self) -> tuple[str, ...]:
        """Files of all shards, without the index."""
        return tuple(f"{shard.name}.{ending}" for shard in self.shards for ending in ENDINGS)

    @property
    def digest(self) -> str:
        """SHA-256 over the shards' digests: equal documents in equal order give an equal digest."""
        return hashlib.sha256("".join(shard.sha256 for shard in self.shards).encode()).hexdigest()


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


def write_index(folder: Path, index: ShardIndex) -> None:
    """Make the folder ready, atomically."""
    part = folder / f".{INDEX}.part"
    part.write_bytes(index.to_json())
    part.replace(folder / INDEX)


def read_index(folder: Path, where: str) -> ShardIndex:
    """The index of `folder`. Raises InvalidInput if there is none, or it is damaged."""
    try:
        data = (folder / INDEX).read_bytes()
    except OSError:
        raise InvalidInput(
            f"{where}: {folder} contains no {INDEX}: give a folder that `lccp data prepare` has "
            "written to its end"
        ) from None
    return ShardIndex.from_json(data, f"{where}: {folder / INDEX}")


@dataclass(frozen=True)
class _Shard:
    tokens: NDArray[np.uint32]
    offsets: NDArray[np.int64]


class TokenShards:
    """The documents of a folder of shards, mapped into memory.

    Opening takes time proportional to the number of shards; reading a document, to its length.
    """

    def __init__(self, folder: Path, index: ShardIndex, where: str) -> None:
        """Raises InvalidInput if a file is missing or cut short, or there are too many."""
        self.index = index
        self._records = [record for record in index.shards if record.documents]
        _allow_open_files(len(ENDINGS) * len(self._records))
        try:
            self._shards = [_opened(folder, record, where) for record in self._records]
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise
            raise InvalidInput(
                f"{where}: {len(self._records):,} files of documents can't be mapped into memory "
                f"({error.strerror}): put the documents into fewer files"
            ) from None
        self._ends = list(accumulate(record.documents for record in self._records))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def length(self, number: int) -> int:
        """Tokens of a document."""
        shard, at = self._at(number)
        return int(shard.offsets[at + 1] - shard.offsets[at])

    def read(self, number: int, start: int, end: int) -> Tokens:
        """Tokens `start` to `end` of a document."""
        shard, at = self._at(number)
        begin = int(shard.offsets[at])
        return shard.tokens[begin + start : begin + end]

    def place(self, number: int) -> str:
        """A document's place, for messages: its number in its file, from 1."""
        shard = bisect_right(self._ends, number)
        before = self._ends[shard - 1] if shard else 0
        return f"document {number - before + 1:,} of {self._records[shard].input}"

    def chunks(self, size: int, overlap: int) -> Iterator[Tokens]:
        """All tokens, in parts of `size` plus `overlap` more, with which the next part begins."""
        for shard in self._shards:
            for start in range(0, len(shard.tokens), size):
                yield shard.tokens[start : start + size + overlap]

    def longest(self) -> int:
        """Tokens of the longest document; reads all offsets once."""
        return max((int(lengths.max()) for lengths in self.lengths_by_shard()), default=0)

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of every document, [documents]."""
        parts = list(self.lengths_by_shard())
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def lengths_by_shard(self) -> Iterator[NDArray[np.int64]]:
        """Tokens of every document, one shard at a time; none is empty."""
        return (np.diff(shard.offsets) for shard in self._shards)

    def _at(self, number: int) -> tuple[_Shard, int]:
        shard = bisect_right(self._ends, number)
        return self._shards[shard], number - (self._ends[shard - 1] if shard else 0)


def fault_of(folder: Path, record: ShardRecord) -> str | None:
    """The file of a shard that is missing or not whole, and its fault; None if both are."""
    expected = (4 * record.tokens, 8 * (record.documents + 1))
    for path, size in zip(_paths(folder, record), expected, strict=True):
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            what = "is missing" if found is None else f"holds {found:,} bytes instead of {size:,}"
            return f"{path} {what}"
    return None


def _paths(folder: Path, record: ShardRecord) -> list[Path]:
    return [folder / f"{record.name}.{ending}" for ending in ENDINGS]


def _opened(folder: Path, record: ShardRecord, where: str) -> _Shard:
    if (fault := fault_of(folder, record)) is not None:
        raise InvalidInput(f"{where}: {fault}: run `lccp data prepare` again")
    paths = _paths(folder, record)
    tokens = mapped(paths[0], "<u4") if record.tokens else np.empty(0, "<u4")
    return _Shard(tokens, mapped(paths[1], "<i8"))


def _allow_open_files(more: int) -> None:
    """Raise this process's limit of open files by `more`, as far as it may: a map keeps its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return
    wanted = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
    # macOS has a lower limit than it tells.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def mapped(path: Path, dtype: DTypeLike) -> NDArray[Any]:
    """The content of a file, not empty, as a plain array: its slices take a fifth of a memmap's
    time."""
    if path.stat().st_size <= READ_BYTES:
        return np.fromfile(path, dtype=dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))
