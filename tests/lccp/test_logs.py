"""Log lines have one form, and say which run and process they are about."""

import json
import logging
import threading
from datetime import datetime
from pathlib import Path

import pytest

from lccp import logs
from lccp.contract.errors import InvalidInput
from lccp.logs import LogFormat, about, configure, configure_from, note

RUN = "team-a/tiny"
logger = logging.getLogger("lccp_test")
Capture = pytest.CaptureFixture[str]


def lines(capture: Capture) -> list[str]:
    return capture.readouterr().err.splitlines()


def test_json_has_time_level_logger_message_and_subject(capsys: Capture) -> None:
    configure(LogFormat.JSON, run=RUN, attempt=2, rank=0)
    logger.warning("it %s", "happens: ä")
    (line,) = lines(capsys)
    found = json.loads(line)
    assert datetime.fromisoformat(found.pop("time")).utcoffset() is not None
    assert found == {
        "level": "WARNING",
        "logger": "lccp_test",
        "message": "it happens: ä",
        "run": RUN,
        "attempt": 2,
        "rank": 0,
    }


def test_text_has_time_level_subject_and_message(capsys: Capture) -> None:
    configure(LogFormat.TEXT, run=RUN, attempt=2, rank=0)
    logger.info("it happens")
    (line,) = lines(capsys)
    assert line[8:] == " INFO    team-a/tiny attempt=2 rank=0: it happens"


def test_without_a_terminal_lines_are_json(capsys: Capture) -> None:
    configure()
    logger.info("it happens")
    assert json.loads(lines(capsys)[0])["message"] == "it happens"


def test_a_line_is_about_what_its_thread_is_about(capsys: Capture) -> None:
    configure(LogFormat.TEXT)
    with about(run=RUN):
        logger.info("begins")
        note(attempt=3)
        logger.info("goes on")
        other = threading.Thread(target=logger.info, args=("elsewhere",))
        other.start()
        other.join()
        note(attempt=None)
        logger.info("ends")
    note(attempt=4)
    logger.info("outside")
    assert [line[17:] for line in lines(capsys)] == [
        "team-a/tiny: begins",
        "team-a/tiny attempt=3: goes on",
        "elsewhere",
        "team-a/tiny: ends",
        "outside",
    ]


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.TEXT])
def test_an_exception_is_logged_with_its_traceback(capsys: Capture, log_format: LogFormat) -> None:
    configure(log_format)
    try:
        raise ValueError("inside")
    except ValueError:
        logger.exception("it failed")
    text = capsys.readouterr().err
    if log_format is LogFormat.JSON:
        text = json.loads(text)["exception"]
    assert text.rstrip().endswith("ValueError: inside")


def test_libraries_are_heard_from_warnings_on(capsys: Capture) -> None:
    configure(LogFormat.TEXT, "DEBUG")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble")
    logger.debug("detail")
    assert [line.split()[-1] for line in lines(capsys)] == ["trouble", "detail"]


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"LCCP_LOG_FORMAT": "xml"}, "log format: must be auto, json, text, not 'xml'"),
        ({"LCCP_LOG_LEVEL": "loud"}, "log level: must be DEBUG, INFO, WARNING, ERROR, not 'loud'"),
    ],
)
def test_a_wrong_setting_is_refused(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        configure_from(environ)


def test_a_termination_message_is_left_where_a_kubelet_made_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "TERMINATION_LOG", tmp_path / "termination-log")

    logs.leave_termination_message("nobody reads it")
    assert not logs.TERMINATION_LOG.exists()

    logs.TERMINATION_LOG.touch()
    logs.leave_termination_message("x" * 2_000)
    assert logs.TERMINATION_LOG.read_text() == "x" * logs.TERMINATION_LENGTH_MAX


@pytest.fixture(scope="module")
def handler() -> logging.Handler:
    """What a program set up that ran once for several tests."""
    configure()
    return logging.getLogger().handlers[0]


def test_a_program_that_several_tests_share_leaves_no_logs_to_them(
    handler: logging.Handler,
) -> None:
    assert handler not in logging.getLogger().handlers
