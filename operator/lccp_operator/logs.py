"""Structured logs: JSON for machines, or one plain line for people.

A line names the run that it is about, and the attempt that the run is at.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class _Subject:
    run: str
    attempt: int = 0


_subject: ContextVar[_Subject | None] = ContextVar("subject", default=None)


@contextmanager
def about(run: str) -> Iterator[None]:
    """Within, all lines of this thread are about `run` (`namespace/name`)."""
    token = _subject.set(_Subject(run))
    try:
        yield
    finally:
        _subject.reset(token)


def note_attempt(number: int) -> None:
    """From here on, lines about the run say that it is at that attempt; 0 is none."""
    subject = _subject.get()
    if subject is not None:
        subject.attempt = number


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        subject = _subject.get()
        if subject is not None:
            fields |= {"run": subject.run}
            fields |= {"attempt": subject.attempt} if subject.attempt else {}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class ConsoleFormatter(logging.Formatter):
    """`time level run attempt n: message`."""

    def format(self, record: logging.LogRecord) -> str:
        subject = _subject.get()
        run = f" {subject.run}" if subject else ""
        attempt = f" attempt {subject.attempt}" if subject and subject.attempt else ""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        where = f"{run}{attempt}:" if subject else ""
        line = f"{time} {record.levelname.lower():7}{where} {record.getMessage()}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def configure(log_format: str, level: str) -> None:
    """Send all logs to stderr in the given format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
