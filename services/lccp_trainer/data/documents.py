"""The documents of a source, file by file, in whatever format they lie on disk."""

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput

OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
"""How a packed file is opened, by its first bytes; others are read as they are."""

STRANGERS = {
    b"\xff\xfe": "is UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text: save it as UTF-8",
    b"\x28\xb5\x2f\xfd": "is packed by zstd: unpack it, or pack it by gzip",
    b"PAR1": "is a Parquet file: set format to Parquet",
    b"ARROW1": "is an Arrow file: set format to Arrow",
    b"PK\x03\x04": "is a zip archive: unpack it",
}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
HEAD_BYTES = 6


@dataclass(frozen=True)
class Document:
    """A text, and where it stands, for messages."""

    text: str
    place: str


@dataclass(frozen=True)
class Unreadable:
    """A document that can't be used: where it stands, and why."""

    place: str
    reason: str


Read = Document | Unreadable


def files_of(path: Path, where: str) -> list[Path]:
    """The file at `path`, or all files of the folder and of folders that it links to, sorted.

    Hidden ones are left out. Raises InvalidInput if there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InvalidInput(f"{where}.path: {path} is neither a file nor a folder")
    found: list[Path] = []
    seen: set[str] = set()
    for folder, below, names in os.walk(path, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if os.path.realpath(folder) in seen:
            below.clear()
            continue
        seen.add(os.path.realpath(folder))
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    if not found:
        raise InvalidInput(f"{where}.path: the folder {path} holds no files")
    return sorted(found)


def read_documents(source: DataSource, file: Path) -> Iterator[Read]:
    """The documents of one file of `source`, in order."""
    match source.format:
        case "JSONL":
            yield from _json_lines(file, source.text_field)
        case "Text":
            yield from _whole(file)
        case "Parquet" | "Arrow":
            yield from _columns(file, source)
        case "Tokens":
            raise InvalidInput(f"{file}: holds tokens, which are not read as text")


def check_documents(source: DataSource, path: Path, where: str) -> None:
    """Raise InvalidInput unless the first document of every file can be read."""
    for file in files_of(path, where):
        first = next(iter(read_documents(source, file)), None)
        if isinstance(first, Unreadable):
            raise InvalidInput(f"{where}.path: {first.place}: {first.reason}")


def _json_lines(file: Path, text_field: str) -> Iterator[Read]:
    number = 0
    for number, line in enumerate(_lines(file), start=1):
        if isinstance(line, Unreadable):
            yield line
            return
        if not line.isspace():
            yield _of_line(line, text_field, f"{file}, line {number}")
    if not number:
        yield Unreadable(str(file), "is empty")


def _of_line(line: bytes, text_field: str, place: str) -> Read:
    try:
        document: Any = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return Unreadable(place, f"is not UTF-8 text (byte 0x{line[error.start]:02x})")
    except ValueError:
        return Unreadable(place, "is not JSON; is the format right?")
    if not isinstance(document, dict):
        return Unreadable(place, "is not a JSON object")
    if text_field not in document:
        return Unreadable(place, f'has no field "{text_field}": is textField right?')
    return _checked(document[text_field], place, text_field)


def _checked(text: Any, place: str, field: str) -> Read:
    if not isinstance(text, str):
        return Unreadable(place, f'its field "{field}" holds {json.dumps(text)[:40]} and no text')
    try:
        text.encode()
    except UnicodeEncodeError:
        return Unreadable(place, "holds half of a surrogate pair, which is no text")
    return Document(text, place)


def _whole(file: Path) -> Iterator[Read]:
    parts = []
    for part in _lines(file):
        if isinstance(part, Unreadable):
            yield part
            return
        parts.append(part)
    data = b"".join(parts)
    try:
        yield Document(data.decode(), str(file))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"is not UTF-8 text (byte 0x{data[error.start]:02x})"
        yield Unreadable(f"{file}, line {line}", reason)


def _lines(file: Path) -> Iterator[bytes | Unreadable]:
    """The lines of a file, packed or not; what is wrong with it comes last."""
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
        if stranger := _starts(head, STRANGERS):
            yield Unreadable(str(file), stranger)
            return
        with (_starts(head, OPENERS) or open)(file, "rb") as lines:
            for number, line in enumerate(lines):
                yield line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line
    except (OSError, EOFError, lzma.LZMAError) as error:
        yield Unreadable(str(file), f"can't be read: {error or type(error).__name__}")


def _starts(head: bytes, table: dict[bytes, Any]) -> Any:
    return next((value for mark, value in table.items() if head.startswith(mark)), None)


def _columns(file: Path, source: DataSource) -> Iterator[Read]:
    """One document a row, the text in one column; by pyarrow, a batch of rows at a time."""
    try:
        import pyarrow
        from pyarrow import dataset
    except ModuleNotFoundError:
        raise InvalidInput(
            f"{file}: {source.format} is read by pyarrow, which is not installed: "
            "pip install 'lccp[data]'"
        ) from None
    form = "parquet" if source.format == "Parquet" else "arrow"
    try:
        opened = dataset.dataset(file, format=form)
        if source.text_field not in opened.schema.names:
            columns = ", ".join(opened.schema.names)
            reason = f'has no column "{source.text_field}", but {columns}: is textField right?'
            yield Unreadable(str(file), reason)
            return
        row = 0
        for batch in opened.to_batches(columns=[source.text_field]):
            for text in batch.column(0).to_pylist():
                row += 1
                yield _checked(text, f"{file}, row {row}", source.text_field)
    except (pyarrow.ArrowException, OSError) as error:
        yield Unreadable(str(file), f"can't be read: {str(error).splitlines()[0]}")
