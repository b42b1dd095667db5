"""The documents of a source, on disk: opened by number, read when they are asked for."""

import gzip
import json
import mmap
import shutil
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput


class Documents(Protocol):
    """Documents of one source, numbered from 0."""

    def __len__(self) -> int: ...

    def text(self, number: int) -> str:
        """The document's text. Raises InvalidInput, naming file and line, if it can't be read."""


def open_documents(source: DataSource, path: Path, where: str, scratch: Path) -> Documents:
    """The documents of `source` at `path`.

    Args:
        where: field path of the source, for messages.
        scratch: folder that decompressed files may be written to.
    """
    files = files_of(path, where)
    if source.format == "Text":
        return TextFiles(files, where)
    return JsonLines([_plain(file, where, scratch) for file in files], source.text_field, where)


def check_documents(source: DataSource, path: Path, where: str) -> None:
    """Raise InvalidInput unless every file opens and the first document can be read."""
    for number, file in enumerate(files_of(path, where)):
        first = next(_lines(file, where), None)
        if number == 0 and source.format == "JSONL":
            _text_of(first or b"", source.text_field, where, f"{file}, line 1")


def files_of(path: Path, where: str) -> list[Path]:
    """The file at `path`, or all files of the folder, sorted; hidden ones are left out."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InvalidInput(f"{where}.path: {path} is neither a file nor a folder")
    found = (p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
    files = sorted(found)
    if not files:
        raise InvalidInput(f"{where}.path: the folder {path} holds no files")
    return files


class TextFiles:
    """One document a file."""

    def __init__(self, files: list[Path], where: str) -> None:
        self._files = files
        self._where = where

    def __len__(self) -> int:
        return len(self._files)

    def text(self, number: int) -> str:
        file = self._files[number]
        try:
            data = gzip.decompress(file.read_bytes()) if _zipped(file) else file.read_bytes()
            return data.decode()
        except (OSError, EOFError, ValueError) as error:
            raise _unreadable(file, self._where, error) from None


class JsonLines:
    """One document a line, the text in one field of its object."""

    def __init__(self, files: list[Path], text_field: str, where: str) -> None:
        self._field = text_field
        self._where = where
        self._files = [_MappedLines(file) for file in files]
        self._ends = list(accumulate(map(len, self._files)))
        if not len(self):
            raise InvalidInput(f"{where}.path: there is no line in {files[0].parent}")

    def __len__(self) -> int:
        return self._ends[-1]

    def text(self, number: int) -> str:
        at = bisect_right(self._ends, number)
        lines = self._files[at]
        line, place = lines.line(number - (self._ends[at - 1] if at else 0))
        return _text_of(line, self._field, self._where, place)


class _MappedLines:
    """The lines of a file that are not blank, mapped into memory."""

    def __init__(self, file: Path) -> None:
        self._name = file
        self._offsets = array("q")
        self._lengths = array("q")
        offset = 0
        with file.open("rb") as lines:
            for line in lines:
                if not line.isspace():
                    self._offsets.append(offset)
                    self._lengths.append(len(line))
                offset += len(line)
            self._data = mmap.mmap(lines.fileno(), 0, access=mmap.ACCESS_READ) if offset else b""

    def __len__(self) -> int:
        return len(self._offsets)

    def line(self, number: int) -> tuple[bytes, str]:
        """The line, and its place for messages."""
        start = self._offsets[number]
        return self._data[
            start : start + self._lengths[number]
        ], f"{self._name}, document {number + 1}"


def _text_of(line: bytes, text_field: str, where: str, place: str) -> str:
    try:
        document: Any = json.loads(line)
    except ValueError:
        raise InvalidInput(f"{where}.path: {place}: is not JSON; is the format right?") from None
    text = document.get(text_field) if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise InvalidInput(f'{where}.textField: {place}: has no text in a field "{text_field}"')
    return text


def _lines(file: Path, where: str) -> Iterator[bytes]:
    try:
        with gzip.open(file) if _zipped(file) else file.open("rb") as lines:
            yield from lines
    except (OSError, EOFError) as error:
        raise _unreadable(file, where, error) from None


def _plain(file: Path, where: str, scratch: Path) -> Path:
    """`file`, or its decompressed content under `scratch`."""
    if not _zipped(file):
        return file
    plain = scratch / f"{len(list(scratch.iterdir()))}-{file.stem}"
    try:
        with gzip.open(file) as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)
    except (OSError, EOFError) as error:
        raise _unreadable(file, where, error) from None
    return plain


def _unreadable(file: Path, where: str, error: Exception) -> InvalidInput:
    return InvalidInput(f"{where}.path: {file} can't be read: {error or type(error).__name__}")


def _zipped(file: Path) -> bool:
    return file.suffix == ".gz"


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
