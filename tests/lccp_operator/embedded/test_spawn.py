"""Programs that do not outlive their parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from laptop import lives, wait_for

from lccp_operator.embedded.children import SPAWN

pytestmark = pytest.mark.slow

BECOME = f"[sys.executable, '-I', '-S', {str(SPAWN)!r}, str(os.getpid()), '0', *command]"
SUPERVISE = (
    "[sys.executable, '-c', 'import sys; sys.path.insert(0, sys.argv[1]); import spawn;"
    " sys.exit(spawn.supervise(int(sys.argv[2]), sys.argv[3:]))', "
    f"{str(SPAWN.parent)!r}, str(os.getpid()), *command]"
)
"""What `spawn.py` does elsewhere than on Linux."""

WAYS = [
    pytest.param(
        BECOME, id="become", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux")
    ),
    pytest.param(SUPERVISE, id="supervise"),
]


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """A file of process ids; what is named there ends with the test."""
    file = tmp_path / "pids"
    file.touch()
    yield file
    for pid in map(int, file.read_text().split()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def parent_of(way: str, script: str, up: str = os.devnull) -> "subprocess.Popen[bytes]":
    """A parent that spawns a shell script and ends with its exit code.

    It makes the file `up` once it forwards SIGTERM.
    """
    program = (
        f"import os, signal, subprocess, sys; command = ['sh', '-c', {script!r}];"
        f"child = subprocess.Popen({way}, start_new_session=True);"
        "signal.signal(signal.SIGTERM, lambda *_: child.terminate());"
        f"open({up!r}, 'w').close();"
        "sys.exit(child.wait())"
    )
    return subprocess.Popen([sys.executable, "-c", program])


@pytest.mark.parametrize("way", WAYS)
def test_the_exit_code_is_the_programs(way: str) -> None:
    assert parent_of(way, "exit 64").wait(60) == 64


@pytest.mark.parametrize("way", WAYS)
def test_sigterm_reaches_the_program(way: str, pids: Path, tmp_path: Path) -> None:
    script = f"trap 'exit 75' TERM; echo $$ >> {pids}; while :; do sleep 0.02; done"
    up = tmp_path / "up"
    parent = parent_of(way, script, str(up))
    wait_for(lambda: pids.read_text() and up.exists())

    parent.terminate()

    assert parent.wait(60) == 75


@pytest.mark.parametrize("way", WAYS)
def test_the_program_ends_when_its_parent_is_killed(way: str, pids: Path) -> None:
    parent = parent_of(way, f"trap '' TERM; echo $$ >> {pids}; while :; do sleep 0.02; done")
    wait_for(pids.read_text)
    pid = int(pids.read_text())

    parent.kill()
    parent.wait()

    wait_for(lambda: not lives(pid))
