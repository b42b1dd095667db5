"""The lines of files, compressed or not, the JSON object on a line, and their possible faults."""

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.documents import LFS_FAULT, LFS_MARK

OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
"""Openers of compressed files, by their first bytes; other files are read as they are."""

STRANGERS = {
    b"\xff\xfe": "is UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text: save it as UTF-8",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: decompress it, or compress it with gzip",
    b"PAR1": "is a Parquet file: set format to Parquet, or write it as JSONL",
    b"ARROW1": "is an Arrow file: set format to Arrow, or write it as JSONL",
    b"PK\x03\x04": "is a zip archive: extract it",
    LFS_MARK: LFS_FAULT,
}
ARRAY = "begins a JSON array: write one object per line, without commas"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
HEAD_BYTES = len(LFS_MARK)
SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Unreadable:
    """A file or a document that can't be used."""

    place: str
    reason: str
    """What is wrong; what would be right follows a colon, if only one thing would be."""
    ends_file: bool = False
    """Whether nothing after it in its file can be read: it stands for any number of documents."""


def lines_of(file: Path) -> Iterator[bytes | Unreadable]:
    """The lines of a file, compressed or not; a fault of the file comes last."""
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
        if stranger := _starts(head, STRANGERS):
            yield Unreadable(str(file), stranger)
            return
        with (_starts(head, OPENERS) or open)(file, "rb") as lines:
            for number, line in enumerate(lines):
                yield line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        yield Unreadable(str(file), f"can't be read: {error or type(error).__name__}")


def json_object(line: bytes) -> dict[str, Any] | str:
    """The JSON object on a line, or the line's fault."""
    try:
        found: Any = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return f"is not UTF-8 text (byte 0x{line[error.start]:02x})"
    except (ValueError, RecursionError):
        return ARRAY if line.startswith(b"[") else "is not JSON"
    if isinstance(found, dict):
        return found
    return ARRAY if isinstance(found, list) else "is not a JSON object"


def text_fault(value: Any) -> str | None:
    """The fault of a value that should be text, or None."""
    if not isinstance(value, str):
        shown = json.dumps(value, default=repr, separators=(",", ":"))[:SHOWN_CHARACTERS]
        return f"holds {shown} and no text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "contains half of a surrogate pair, which is not text"
    return None


def _starts(head: bytes, table: dict[bytes, Any]) -> Any:
    return next((value for mark, value in table.items() if head.startswith(mark)), None)
