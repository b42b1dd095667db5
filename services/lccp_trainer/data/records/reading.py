"""The records of JSONL files: a prompt with its completion, or a conversation."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.contract.errors import InvalidInput

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ASSISTANT = "assistant"


@dataclass(frozen=True)
class Completion:
    """A text, and what is to follow it."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Conversation:
    """Messages with `role` and `content`, of which the last is the assistant's."""

    messages: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Unusable:
    """Why a record can't be trained on."""

    reason: str


Record = Completion | Conversation
Read = tuple[str, Record | Unusable]
"""The place of a record, for messages, and what was read there."""


def read_records(file: Path, where: str) -> Iterator[Read]:
    """The records of a file, in order. Raises InvalidInput if the file can't be read."""
    for number, line in enumerate(_lines(file, where), start=1):
        if not line.isspace():
            yield f"{file}, line {number}", _of_line(line)


def _of_line(line: bytes) -> Record | Unusable:
    try:
        document: Any = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return Unusable(f"is not UTF-8 text (byte 0x{line[error.start]:02x})")
    except (ValueError, RecursionError):
        return Unusable("is not JSON")
    if not isinstance(document, dict):
        return Unusable("is not a JSON object")
    if "messages" in document:
        return _conversation(document["messages"])
    if "prompt" in document and "completion" in document:
        return _completion(document["prompt"], document["completion"])
    return Unusable("has neither messages, nor prompt and completion")


def _completion(prompt: Any, completion: Any) -> Record | Unusable:
    for name, value in (("prompt", prompt), ("completion", completion)):
        if fault := _fault(value):
            return Unusable(f"{name} {fault}")
    return Completion(prompt, completion) if completion else Unusable("completion is empty")


def _conversation(messages: Any) -> Record | Unusable:
    if not isinstance(messages, list):
        return Unusable("messages is not a list")
    found = []
    for number, message in enumerate(messages):
        for name in ("role", "content"):
            value = message.get(name) if isinstance(message, dict) else None
            if fault := _fault(value):
                return Unusable(f"messages[{number}].{name} {fault}")
        found.append({"role": message["role"], "content": message["content"]})
    while found and found[-1]["role"] != ASSISTANT:
        found.pop()
    if not found:
        return Unusable(f"messages has none of the role {ASSISTANT}: there is nothing to learn")
    for number, message in enumerate(found):
        if message["role"] == ASSISTANT and not message["content"].strip():
            return Unusable(f"messages[{number}].content is empty: there is no answer")
    return Conversation(tuple(found))


def _fault(value: Any) -> str | None:
    if not isinstance(value, str):
        return "is not text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no text"
    return None


def _lines(file: Path, where: str) -> Iterator[bytes]:
    try:
        with file.open("rb") as head:
            packed = head.read(len(GZIP)) == GZIP
        with gzip.open(file) if packed else file.open("rb") as lines:
            for number, line in enumerate(lines):
                yield line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line
    except (OSError, EOFError) as error:
        raise InvalidInput(
            f"{where}: {file} can't be read: {error or type(error).__name__}"
        ) from None
