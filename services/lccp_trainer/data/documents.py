"""The documents of a source, file by file, whatever their format on disk."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from lccp.contract.errors import InvalidInput
from lccp.documents import files_below
from lccp_trainer.data import tables
from lccp_trainer.data.lines import Unreadable, json_object, lines_of, text_fault


@dataclass(frozen=True)
class Document:
    """A text, and its place, for messages."""

    text: str
    place: str


Read = Document | Unreadable


def files_of(path: Path, where: str) -> list[Path]:
    """The file at `path`, or all files of the folder and of folders that it links to, sorted.

    Hidden files are left out. Raises InvalidInput if there is none, or one that is read without
    end, such as a pipe.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InvalidInput(f"{where}.path: {path} is neither a file nor a folder")
    found = files_below(path)
    if not found:
        raise InvalidInput(f"{where}.path: the folder {path} contains no files")
    for file in found:
        if _is_endless(file):
            raise InvalidInput(f"{where}.path: {file} is a pipe, socket or device: remove it")
    return found


class Form(Protocol):
    """How files hold documents: the fields of a source that `read_documents` needs."""

    @property
    def format(self) -> str: ...

    @property
    def text_field(self) -> str: ...


def _is_endless(file: Path) -> bool:
    """Whether reading it may never end; one that can't be looked at is reported when it is read."""
    try:
        return not stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False


def read_documents(source: Form, file: Path) -> Iterator[Read]:
    """The documents of one file of `source`, in order."""
    match source.format:
        case "JSONL":
            yield from _json_lines(file, source.text_field)
        case "Text":
            yield from _whole(file)
        case "Parquet" | "Arrow":
            yield from _rows(file, source)
        case "Tokens":
            raise InvalidInput(f"{file}: contains tokens, which are not read as text")


def _json_lines(file: Path, text_field: str) -> Iterator[Read]:
    empty = True
    for number, line in enumerate(lines_of(file), start=1):
        if isinstance(line, Unreadable):
            yield replace(line, ends_file=True)
            return
        if not line.isspace():
            empty = False
            yield _of_line(line, text_field, f"{file}, line {number}")
    if empty:
        yield Unreadable(str(file), "is empty")


def _of_line(line: bytes, text_field: str, place: str) -> Read:
    found = json_object(line)
    if isinstance(found, str):
        return Unreadable(place, found if ": " in found else f"{found}; is the format right?")
    if text_field not in found:
        return Unreadable(place, f'has no field "{text_field}"; is textField right?')
    return _checked(found[text_field], place, text_field)


def _checked(text: Any, place: str, field: str) -> Read:
    fault = text_fault(text)
    return Unreadable(place, f'its field "{field}" {fault}') if fault else Document(text, place)


def _whole(file: Path) -> Iterator[Read]:
    parts = []
    for part in lines_of(file):
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


def _rows(file: Path, source: Form) -> Iterator[Read]:
    try:
        for number, text in enumerate(tables.column(file, source.format, source.text_field), 1):
            yield _checked(text, f"{file}, row {number}", source.text_field)
    except tables.NotRead as error:
        yield Unreadable(str(file), str(error), ends_file=True)
