"""Tokenized documents on disk: token files, their offsets, and an index that names them all.

A folder of shards holds `index.json` and, for each shard, `<name>.tokens` (uint32, little-endian,
one document after another) and `<name>.offsets` (int64, where each document begins, and the
end). The index is written last: without it the folder is not ready.
"""

import errno
import hashlib
import resource
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.api.objects.inputs import Input
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.inputs.ranges import Open, Read, not_here, origin_of

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
class RangedTokens:
    """The tokens of a file in a bucket: a slice is one request for its range."""

    name: str
    count: int
    read: Read

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice, /) -> Tokens:
        start, stop, _ = part.indices(self.count)
        if start >= stop:
            return np.empty(0, "<u4")
        return np.frombuffer(self.read(self.name, 4 * start, 4 * (stop - start)), "<u4")


@dataclass(frozen=True)
class _Shard:
    tokens: Tokens | RangedTokens
    offsets: NDArray[np.int64]


class TokenShards:
    """The documents of a folder of shards, mapped into memory, or their tokens left in a bucket.

    Opening takes time proportional to the number of shards; reading a document, to its length.
    """

    def __init__(
        self, folder: Path, index: ShardIndex, where: str, open_tokens: Open = not_here
    ) -> None:
        """Raises InvalidInput if a file is missing or cut short, or there are too many."""
        self.index = index
        self.origin = origin_of(folder)
        """Where the tokens are, if not in the folder."""
        read = open_tokens(self.origin) if self.origin is not None else None
        self._records = [record for record in index.shards if record.documents]
        _allow_open_files(len(ENDINGS) * len(self._records))
        try:
            self._shards = [
                _opened(folder, record, where, self.origin, read) for record in self._records
            ]
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


def fault_of(folder: Path, record: ShardRecord, origin: Input | None = None) -> str | None:
    """The file of a shard that is missing or not whole, and its fault; None if both are.

    Args:
        origin: where its tokens are, if not in the folder.
    """
    expected = (4 * record.tokens, 8 * (record.documents + 1))
    for path, size in zip(_paths(folder, record), expected, strict=True):
        found = _size(path, origin)
        if found != size:
            what = "is missing" if found is None else f"holds {found:,} bytes instead of {size:,}"
            return f"{path} {what}"
    return None


def _paths(folder: Path, record: ShardRecord) -> list[Path]:
    return [folder / f"{record.name}.{ending}" for ending in ENDINGS]


def _size(path: Path, origin: Input | None) -> int | None:
    if origin is None or path.suffix != ".tokens":
        return path.stat().st_size if path.is_file() else None
    file = origin.files.get(f"{origin.path}/{path.name}")
    return file.size if file is not None else None


def _opened(
    folder: Path, record: ShardRecord, where: str, origin: Input | None, read: Read | None
) -> _Shard:
    if (fault := fault_of(folder, record, origin)) is not None:
        raise InvalidInput(f"{where}: {fault}: run `lccp data prepare` again")
    tokens, offsets = _paths(folder, record)
    if read is not None:
        return _Shard(RangedTokens(tokens.name, record.tokens, read), mapped(offsets, "<i8"))
    own = mapped(tokens, "<u4") if record.tokens else np.empty(0, "<u4")
    return _Shard(own, mapped(offsets, "<i8"))


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
