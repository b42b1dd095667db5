"""The files of a state: parameters and moments by Hugging Face's names, for readers of any layout.

Every process writes one safetensors file with the values that only it keeps. A tensor in it is a
contiguous part of a flattened parameter, named `<kind>/<first element>/<parameter>`. The file's
metadata has the CRC-32 of each. A reader fetches the tensors that it needs, whoever wrote them.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lccp.contract.errors import NotFound
from lccp.store.objects import read_range
from lccp.store.port import Store
from lccp_trainer.model.tensor_file import write_tensors

CHECKSUMS = "crc32"
ELEMENT_BYTES = 4
HEADER_BYTES_MAX = 2**28
RANGE_BYTES = 2**26
"""Most bytes that are fetched at once, where tensors are adjacent."""
FETCHERS = 4


class Damaged(Exception):
    """A state that can't be resumed from."""


@dataclass(frozen=True, eq=False)
class Part:
    """A contiguous part of a flattened parameter, of one kind of values."""

    kind: str
    name: str
    start: int
    values: torch.Tensor
    """Flat, float32, on the CPU."""

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.start}/{self.name}"


@dataclass(frozen=True)
class Stored:
    """A tensor in a file of a state."""

    file: str
    kind: str
    name: str
    start: int
    length: int
    offset: int
    """Of the tensor's first byte in the file."""
    checksum: int

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def bytes_end(self) -> int:
        return self.offset + self.length * ELEMENT_BYTES


def file_name(rank: int) -> str:
    return f"rank-{rank:05d}.safetensors"


def write_file(parts: Iterable[Part], path: Path) -> None:
    """Write `parts` to a file at `path`."""
    tensors = {part.key: part.values for part in parts}
    checksums = {key: zlib.crc32(value.numpy().data) for key, value in tensors.items()}
    write_tensors(tensors, path, metadata={CHECKSUMS: json.dumps(checksums)})


@dataclass(frozen=True)
class StateFiles:
    """The files of one state in a store."""

    store: Store
    prefix: str
    sizes: dict[str, int]
    """Bytes of each file, by its name below the prefix."""

    def fill(self, wanted: list[Part], first: str) -> None:
        """Fill the values of `wanted`. Raises Damaged if that can't be done.

        Args:
            first: the file to read before all others; it usually holds everything.
        """
        index = self._index([first]) if first in self.sizes else {}
        if not all(_covers(part, index) for part in wanted):
            index = self._index([name for name in self.sizes if name.endswith(".safetensors")])
        needs: dict[Stored, list[Part]] = {}
        for part in wanted:
            for stored in _overlapping(part, index):
                needs.setdefault(stored, []).append(part)
            if not _covers(part, index):
                raise Damaged(f"{self.prefix}: contains no {part.kind} of {part.name}")
        with ThreadPoolExecutor(FETCHERS) as pool:
            for _ in pool.map(lambda together: self._fetch(together, needs), _ranges(needs)):
                pass

    def _index(self, names: list[str]) -> dict[tuple[str, str], list[Stored]]:
        """The tensors in the files of `names`, by kind and parameter, ascending."""
        found: dict[tuple[str, str], list[Stored]] = {}
        with ThreadPoolExecutor(FETCHERS) as pool:
            for tensors in pool.map(self._header, names):
                for stored in tensors:
                    found.setdefault((stored.kind, stored.name), []).append(stored)
        return {key: sorted(parts, key=lambda part: part.start) for key, parts in found.items()}

    def _header(self, name: str) -> list[Stored]:
        try:
            (size,) = struct.unpack("<Q", self._read(name, 0, 8))
            if size > HEADER_BYTES_MAX:
                raise ValueError("the header is too large")
            return list(_tensors(name, size, json.loads(self._read(name, 8, size))))
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise Damaged(f"{self.prefix}{name}: is damaged or cut short ({error})") from None

    def _fetch(self, together: list[Stored], needs: dict[Stored, list[Part]]) -> None:
        """Read neighbours in a file at once, check them, and copy the wanted values."""
        begin = together[0].offset
        data = self._read(together[0].file, begin, together[-1].bytes_end - begin)
        for stored in together:
            own = memoryview(data)[stored.offset - begin : stored.bytes_end - begin]
            if zlib.crc32(own) != stored.checksum:
                raise Damaged(
                    f"{self.prefix}{stored.file}: {stored.name} differs from what was written"
                )
            values = torch.from_numpy(np.frombuffer(own, dtype=np.float32).copy())
            for part in needs[stored]:
                _copy(values, stored, part)

    def _read(self, name: str, start: int, length: int) -> bytes:
        try:
            data = read_range(self.store, f"{self.prefix}{name}", start, length)
        except NotFound:
            raise Damaged(f"{self.prefix}{name} is missing") from None
        if len(data) < length:
            raise Damaged(f"{self.prefix}{name}: is cut short")
        if len(data) > length:
            raise Damaged(f"{self.prefix}{name}: the store gives more than was asked for")
        return data


def _tensors(file: str, header_size: int, header: dict[str, Any]) -> Iterator[Stored]:
    checksums = json.loads(header.pop("__metadata__")[CHECKSUMS])
    for key, entry in header.items():
        kind, start, name = key.split("/", 2)
        begin, end = entry["data_offsets"]
        length = (end - begin) // ELEMENT_BYTES
        offset = 8 + header_size + begin
        yield Stored(file, kind, name, int(start), length, offset, checksums[key])


def _overlapping(part: Part, index: dict[tuple[str, str], list[Stored]]) -> Iterator[Stored]:
    end = part.start + len(part.values)
    for stored in index.get((part.kind, part.name), []):
        if stored.start < end and part.start < stored.end:
            yield stored


def _covers(part: Part, index: dict[tuple[str, str], list[Stored]]) -> bool:
    """Whether the tensors of `index` hold all of `part`."""
    reached = part.start
    for stored in _overlapping(part, index):
        if stored.start > reached:
            return False
        reached = max(reached, stored.end)
    return reached >= part.start + len(part.values)


def _ranges(needs: Iterable[Stored]) -> Iterator[list[Stored]]:
    """Groups of tensors to read together: neighbours in a file, up to a size limit."""
    ordered = sorted(needs, key=lambda stored: (stored.file, stored.offset))
    for _, in_file in groupby(ordered, key=lambda stored: stored.file):
        together: list[Stored] = []
        for stored in in_file:
            apart = together and stored.offset != together[-1].bytes_end
            if apart or (together and stored.bytes_end - together[0].offset > RANGE_BYTES):
                yield together
                together = []
            together.append(stored)
        yield together


def _copy(values: torch.Tensor, stored: Stored, part: Part) -> None:
    start = max(stored.start, part.start)
    end = min(stored.end, part.start + len(part.values))
    part.values[start - part.start : end - part.start] = values[
        start - stored.start : end - stored.start
    ]
