"""The records of JSONL files: a prompt with its completion, or a conversation."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.contract.errors import InvalidInput
from lccp_trainer.data.lines import Unreadable, json_object, lines_of, text_fault

ASSISTANT = "assistant"


@dataclass(frozen=True)
class Completion:
    """A text, and the text that should follow it."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Conversation:
    """Messages with `role` and `content`, of which the last is the assistant's."""

    messages: tuple[dict[str, Any], ...]
    """With whatever other fields they have, which a template may use."""
    tools: tuple[Any, ...] | None = None
    """Descriptions of the tools that the assistant may call, for the template."""


@dataclass(frozen=True)
class Unusable:
    """Why a record can't be trained on."""

    reason: str


Record = Completion | Conversation
Read = tuple[str, Record | Unusable]
"""The place of a record, for messages, and the record or its fault."""


def read_records(file: Path, where: str) -> Iterator[Read]:
    """The records of a file, in order. Raises InvalidInput if the file can't be read."""
    for number, line in enumerate(lines_of(file), start=1):
        if isinstance(line, Unreadable):
            raise InvalidInput(f"{where}: {line.place} {line.reason}")
        if not line.isspace():
            yield f"{file}, line {number}", _of_line(line)


def _of_line(line: bytes) -> Record | Unusable:
    document = json_object(line)
    if isinstance(document, str):
        return Unusable(document)
    if "messages" in document:
        return _conversation(document["messages"], document.get("tools") or None)
    if "prompt" in document and "completion" in document:
        return _completion(document["prompt"], document["completion"])
    return Unusable("has neither messages, nor prompt and completion")


def _completion(prompt: Any, completion: Any) -> Record | Unusable:
    for name, value in (("prompt", prompt), ("completion", completion)):
        if fault := text_fault(value):
            return Unusable(f"{name} {fault}")
    return Completion(prompt, completion) if completion else Unusable("completion is empty")


def _conversation(messages: Any, tools: Any) -> Record | Unusable:
    for name, value in (("messages", messages), ("tools", tools or [])):
        if not isinstance(value, list):
            return Unusable(f"{name} is not a list")
    if fault := text_fault(json.dumps([messages, tools], ensure_ascii=False)):
        return Unusable(f"messages or tools: {fault}")
    found = list(messages)
    for number, message in enumerate(messages):
        for name in ("role", "content"):
            value = message.get(name) if isinstance(message, dict) else None
            if fault := text_fault(value):
                return Unusable(f"messages[{number}].{name} {fault}")
    while found and found[-1]["role"] != ASSISTANT:
        found.pop()
    if not found:
        return Unusable(
            f"messages contains none with the role {ASSISTANT}: there is nothing to learn"
        )
    for number, message in enumerate(found):
        if message["role"] == ASSISTANT and not message["content"].strip():
            return Unusable(f"messages[{number}].content is empty: there is no answer")
    return Conversation(tuple(found), None if tools is None else tuple(tools))
