"""The user's own questions: JSONL objects of a text, a question about it and its answer."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from lccp.contract.errors import InvalidInput
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.sources.documents import lines
from lccp_evaluator.sampling.sources.files import Files

SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Question:
    """A question about `context`; `where` names its file and line."""

    context: str
    question: str
    answer: str
    where: str
    line: int


def questions(
    spec: Documents, fields: tuple[str, str, str], files: Files, where: str
) -> Iterator[Question]:
    """The questions in the JSONL of `spec`, whose path the manifest names in `where`.

    `fields` are those of text, question and answer in a JSON object. Blank lines are skipped.

    Raises:
        InvalidInput: there are no files, or a line, which it names, is no such object.
    """
    for file in files.opened(spec, where):
        for number, line in enumerate(lines(file, f"{where}: {file}"), start=1):
            if line.strip():
                place = f"{where}: {file}, line {number}"
                yield Question(*_texts(line, fields, place), place, number)


def _texts(line: str, fields: tuple[str, str, str], where: str) -> tuple[str, str, str]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput(
            f"{where}: is not JSON: write one object a line, with {_listed(fields)}"
        ) from None
    if not isinstance(record, dict):
        raise InvalidInput(f"{where}: is not a JSON object with {_listed(fields)}")
    context, question, answer = (_text(record, field, where) for field in fields)
    return context, question, answer


def _text(record: dict[str, object], field: str, where: str) -> str:
    """The text in `field`, without white space around it."""
    if field not in record:
        has = ", ".join(map(repr, record)) or "none"
        raise InvalidInput(f"{where}: has no field {field!r}, but {has}")
    value = record[field]
    if not isinstance(value, str):
        shown = json.dumps(value, ensure_ascii=False)[:SHOWN_CHARACTERS]
        raise InvalidInput(f"{where}: {field!r} must be a text, not {shown}")
    if not value.strip():
        raise InvalidInput(f"{where}: {field!r} is empty")
    return value.strip()


def _listed(fields: tuple[str, str, str]) -> str:
    return "{!r}, {!r} and {!r}".format(*fields)
