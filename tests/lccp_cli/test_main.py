import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from lccp import __version__
from lccp.contract.errors import LccpError
from lccp_cli import __main__, main
from lccp_evaluator.starting import heap

COMMANDS = (
    *("run", "evaluate", "analyze", "report", "export", "estimate", "plan"),
    *("doctor", "crd", "version", "grafana", "grafana push"),
)
HEAVY = ("torch", "transformers", "pydantic", "plotly", "numpy", "yaml", "minio", "lccp_operator")

REFERENCE = Path(__file__).parents[2] / "docs/reference/cli.md"
"""Generated from the commands; `make check` says if it is not current."""

Lccp = Callable[..., Result]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_examples(lccp: Lccp, command: str) -> None:
    result = lccp(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"lccp {command}" in result.output.partition("Examples:")[2]


def test_no_option_takes_infinity() -> None:
    numbers = [
        line
        for line in REFERENCE.read_text().splitlines()
        if " <float range>" in line or " <float>" in line
    ]
    assert len(numbers) >= 8
    assert [line for line in numbers if "<=x<=" not in line] == []


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, lccp_cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_python_runs_the_package_as_the_command() -> None:
    command = [sys.executable, "-m", "lccp_cli", "version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(f"lccp {__version__}\npython ")


@pytest.mark.parametrize("command", ["evaluate", "watch"])
def test_commands_that_compute_passes_begin_as_evaluators_do(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["lccp", command])
    monkeypatch.setattr(heap, "begin", lambda: sys.exit("anew"))
    with pytest.raises(SystemExit, match="anew"):
        __main__.main()


@pytest.mark.slow
def test_a_terminal_that_lacks_a_character_gets_a_question_mark(stored: Path) -> None:
    command = [sys.executable, "-m", "lccp_cli", "analyze", str(stored)]
    plain = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, env=plain)
    assert b" ? 78.9 %" in done.stdout


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (LccpError("the store is shut"), 2, "lccp: the store is shut\n"),
        (
            ModuleNotFoundError("no", name="plotly"),
            2,
            "lccp: plotly is not installed: pip install -e '.[report]' in the checkout of LCCP\n",
        ),
        (KeyboardInterrupt(), 130, "lccp: interrupted\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            2,
            "lccp: the output can't be written: No space left on device\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/a"),
            2,
            "lccp: /tmp/a can't be written: No space left on device\n",
        ),
        (OSError(errno.EACCES, "Permission denied", "a"), 2, "lccp: a: Permission denied\n"),
    ],
    ids=["bad input", "missing extra", "interrupt", "full disk", "full at a file", "file"],
)
def test_a_failure_is_one_sentence(
    lccp: Lccp,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    sentence: str,
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr("lccp.api.crd.render_crd", fail)
    result = lccp("crd")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", sentence)


HANGS_UP = """
import os, signal
from lccp.api import crd
from lccp_cli.main import main
number = signal.Signals[{0!r}]
signal.signal(number, signal.{1})
crd.render_crd = lambda: os.kill(os.getpid(), number) or "alive"
import sys; sys.argv = ["lccp", "crd"]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "before", "ended"),
    [
        ("SIGTERM", "SIG_DFL", (130, "", "lccp: interrupted\n")),
        ("SIGHUP", "SIG_DFL", (130, "", "lccp: interrupted\n")),
        ("SIGHUP", "SIG_IGN", (0, "alive", "")),
    ],
    ids=["terminated", "closed terminal", "nohup"],
)
def test_a_signal_ends_a_command_as_ctrl_c_does_unless_it_is_ignored(
    number: str, before: str, ended: tuple[int, str, str]
) -> None:
    command = [sys.executable, "-c", HANGS_UP.format(number, before)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == ended


HANGS_UP_TWICE = """
import os, signal, sys
from lccp.api import crd
from lccp_cli.main import main
def render():
    try:
        os.kill(os.getpid(), signal.SIGHUP)
    finally:
        os.kill(os.getpid(), signal.SIGHUP)
        print("tidied up")
signal.signal(signal.SIGHUP, signal.SIG_DFL)
crd.render_crd = render
sys.argv = ["lccp", "crd"]
main()
"""


@pytest.mark.slow
def test_the_second_signal_of_a_closed_terminal_does_not_interrupt_what_ends() -> None:
    command = [sys.executable, "-c", HANGS_UP_TWICE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (130, "tidied up\n")
    assert done.stderr == "lccp: interrupted\n"


DROPS = """
import os, signal, time
from lccp.api import crd
from lccp_cli.main import main
class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)
def render():
    Dying()
    time.sleep(20)
    return "alive"
signal.signal(signal.SIGINT, signal.default_int_handler)
crd.render_crd = render
import sys; sys.argv = ["lccp", "crd"]
main()
"""


EARLY = """
import sys
from lccp_cli.__main__ import main
class Interrupts:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [DROPS, EARLY], ids=["in a finalizer", "while it is imported"])
def test_ctrl_c_is_a_sentence_wherever_it_comes(code: str) -> None:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "lccp: interrupted\n")


ENDING = """
import atexit, os, signal, sys, time
from lccp_cli.main import main
atexit.register(time.sleep, 1)
atexit.register(os.kill, os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["lccp", "version"]
main()
"""


@pytest.mark.slow
def test_ctrl_c_while_python_ends_is_no_alarm() -> None:
    command = [sys.executable, "-c", ENDING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGINT
    assert done.stdout.startswith("lccp ")


def test_lccp_debug_shows_the_traceback(lccp: Lccp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "LCCP_DEBUG", "1")
    result = lccp("analyze", "nowhere")
    assert isinstance(result.exception, LccpError)


@pytest.mark.slow
def test_usage_names_the_command_however_it_is_started() -> None:
    command = [sys.executable, "-m", "lccp_cli", "fly"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Usage: lccp " in done.stderr


def test_an_unknown_command_is_refused(lccp: Lccp) -> None:
    assert lccp("fly").exit_code == 2


@pytest.mark.slow
def test_the_crd_is_printed_as_it_lies_in_the_repository(lccp: Lccp) -> None:
    from lccp.api.crd import render_crd

    assert lccp("crd").stdout == render_crd()


def test_every_extra_is_one_that_the_distribution_has() -> None:
    from importlib.metadata import metadata

    assert set(main.EXTRAS.values()) <= set(metadata("lccp").get_all("Provides-Extra") or ())
