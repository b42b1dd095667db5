"""Log lines name the run and the attempt that they are about."""

import json
import logging
import threading
from collections.abc import Callable

import pytest

from lccp_operator.logs import ConsoleFormatter, JsonFormatter, about, note_attempt

RUN = "team-a/tiny"


def line(formatter: logging.Formatter) -> str:
    record = logging.LogRecord("a.logger", logging.WARNING, "", 0, "it %s", ("happens",), None)
    return formatter.format(record)


def of_attempt(formatter: logging.Formatter, attempt: int) -> str:
    with about(RUN):
        note_attempt(attempt)
        return line(formatter)


def test_json_names_run_and_attempt() -> None:
    found = json.loads(of_attempt(JsonFormatter(), 2))

    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "warning",
        "logger": "a.logger",
        "message": "it happens",
        "run": RUN,
        "attempt": 2,
    }


def test_the_console_names_run_and_attempt() -> None:
    assert of_attempt(ConsoleFormatter(), 2)[8:] == " warning team-a/tiny attempt 2: it happens"
    assert of_attempt(ConsoleFormatter(), 0)[8:] == " warning team-a/tiny: it happens"


def test_a_run_without_attempt_is_named_alone() -> None:
    found = json.loads(of_attempt(JsonFormatter(), 0))

    assert (found["run"], "attempt" in found) == (RUN, False)


@pytest.mark.parametrize("formatter", [JsonFormatter(), ConsoleFormatter()])
def test_other_lines_name_no_run(formatter: logging.Formatter) -> None:
    note_attempt(7)
    before = line(formatter)
    of_attempt(formatter, 2)

    for text in (before, line(formatter), elsewhere(lambda: line(formatter))):
        assert RUN not in text
        assert "attempt" not in text


def elsewhere(tell: Callable[[], str]) -> str:
    """What another thread tells while this one is about a run."""
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(tell()))
    with about(RUN):
        note_attempt(2)
        thread.start()
        thread.join()
    return told[0]


def test_an_error_is_told_with_its_traceback() -> None:
    try:
        raise ValueError("inside")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("a", logging.ERROR, "", 0, "it failed", (), info)

    assert "ValueError: inside" in json.loads(JsonFormatter().format(record))["exception"]
    assert ConsoleFormatter().format(record).endswith("ValueError: inside")
