"""Logs of all programs: one JSON object a line, or plain text on a terminal.

A JSON line has `time` (UTC, ISO 8601), `level`, `logger` and `message`; what it is about, as far as
that is known (the names in `SUBJECT`); and `exception`, a traceback, where there is one.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from lccp.contract.errors import InvalidInput

FORMAT_VARIABLE = "LCCP_LOG_FORMAT"
LEVEL_VARIABLE = "LCCP_LOG_LEVEL"
SUBJECT = ("run", "attempt", "suite", "tokens", "node", "rank")
"""What a line can be about; `run` is `namespace/name`, `tokens` names a checkpoint."""

TELL_SECRETS = ("urllib3.connectionpool", "httpx")
"""Loggers below their level of errors left out: URLs hold identity tokens and signatures."""

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

TERMINATION_LOG = Path("/dev/termination-log")
"""What a container leaves in this file, its kubelet puts into the pod's status."""

TERMINATION_LENGTH_MAX = 1_000

_subject: ContextVar[dict[str, str | int | None] | None] = ContextVar("subject", default=None)


class LogFormat(StrEnum):
    """How log lines are written."""

    AUTO = "auto"
    """Text on a terminal, else JSON."""
    JSON = "json"
    TEXT = "text"


@contextmanager
def about(**subject: str | int) -> Iterator[None]:
    """Within, all lines of this thread are about `subject` (names in `SUBJECT`)."""
    token = _subject.set({**subject})
    try:
        yield
    finally:
        _subject.reset(token)


def note(**subject: str | int | None) -> None:
    """Add to what `about` said, or with None take away; outside of `about` do nothing."""
    known = _subject.get()
    if known is not None:
        known.update(subject)


def configure(log_format: str = LogFormat.AUTO, level: str = "INFO", **subject: str | int) -> None:
    """Send all logs of this process to standard error; `subject` is what the process is about.

    Raises InvalidInput for a format or a level that does not exist.
    """
    if log_format not in tuple(LogFormat):
        raise InvalidInput(f"log format: must be {', '.join(LogFormat)}, not {log_format!r}")
    if level.upper() not in LEVELS:
        raise InvalidInput(f"log level: must be {', '.join(LEVELS)}, not {level!r}")
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Lines(subject))
    handler.setFormatter(_formatter(LogFormat(log_format), sys.stderr.isatty()))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in TELL_SECRETS:
        logging.getLogger(name).setLevel(logging.ERROR)


def configure_from(environ: Mapping[str, str], **subject: str | int) -> None:
    """`configure` by LCCP_LOG_FORMAT and LCCP_LOG_LEVEL. Raises InvalidInput."""
    log_format = environ.get(FORMAT_VARIABLE, LogFormat.AUTO)
    configure(log_format, environ.get(LEVEL_VARIABLE, "INFO"), **subject)


def leave_termination_message(message: str) -> None:
    """Leave in the pod's status why this process ends; outside of a container do nothing."""
    with suppress(OSError):
        if TERMINATION_LOG.exists():
            TERMINATION_LOG.write_text(message[:TERMINATION_LENGTH_MAX])


def _formatter(log_format: LogFormat, terminal: bool) -> logging.Formatter:
    if log_format is LogFormat.TEXT or (log_format is LogFormat.AUTO and terminal):
        return TextFormatter()
    names = {"levelname": "level", "name": "logger", "exc_info": "exception"}
    fields = ("levelname", "name", "message")
    return JsonFormatter(fields, rename_fields=names, timestamp="time", json_ensure_ascii=False)


class _Lines(logging.Filter):
    """Our own records, and warnings of libraries; each gets what it is about."""

    def __init__(self, process: Mapping[str, str | int]) -> None:
        super().__init__()
        self._process = process

    def filter(self, record: logging.LogRecord) -> bool:
        subject = {**self._process, **(_subject.get() or {})}
        vars(record).update({name: it for name, it in subject.items() if it is not None})
        return record.name.startswith("lccp") or record.levelno >= logging.WARNING


class TextFormatter(logging.Formatter):
    """`time LEVEL run attempt=1 rank=0: message`, in local time."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s%(where)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        known = [(name, vars(record)[name]) for name in SUBJECT if name in vars(record)]
        words = [str(value) if name == "run" else f"{name}={value}" for name, value in known]
        record.where = f" {' '.join(words)}:" if words else ""
        return super().format(record)
