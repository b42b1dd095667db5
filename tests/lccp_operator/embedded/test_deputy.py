"""What stands for a forked process; the test is the process that forks."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from laptop import wait_for

from lccp_operator.embedded.children import DEPUTY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks evaluators"),
]


class Deputy:
    """A deputy, and our end of its socket."""

    def __init__(self, log: Path) -> None:
        self.warm, its = socket.socketpair()
        self.warm.settimeout(30)
        program = ("sh", "-c", "echo ordinary; exit 3")
        command = (sys.executable, "-I", "-S", str(DEPUTY), str(its.fileno()), *program)
        with its, log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env={"A": "ä"}, stdout=output, stderr=output, pass_fds=[its.fileno()]
            )

    def asked(self) -> tuple[dict[str, str], list[int]]:
        text, outputs, _, _ = socket.recv_fds(self.warm, 4_096, 2)
        return json.loads(text), outputs


@pytest.fixture
def deputy(tmp_path: Path) -> Iterator[Deputy]:
    made = Deputy(tmp_path / "log")
    try:
        yield made
    finally:
        made.warm.close()
        made.process.kill()
        made.process.wait()


def test_it_asks_for_a_process_with_its_own_environment_and_outputs(
    deputy: Deputy, tmp_path: Path
) -> None:
    environ, outputs = deputy.asked()

    for output in outputs:
        with open(output, "wb", closefd=True) as file:
            file.write(b"line\n")
    assert environ["A"] == "ä"
    assert (tmp_path / "log").read_text() == "line\nline\n"


@pytest.mark.parametrize(("told", "code"), [(b"0", 0), (b"64", 64), (b"-9", -9), (b"-15", -15)])
def test_it_ends_as_it_is_told(deputy: Deputy, told: bytes, code: int) -> None:
    deputy.warm.sendall(b"+" + told)
    deputy.warm.shutdown(socket.SHUT_WR)

    assert deputy.process.wait(30) == code


def test_it_forwards_sigterm(deputy: Deputy) -> None:
    deputy.asked()
    deputy.warm.sendall(b"+")
    wait_for(lambda: _catches(deputy.process.pid, signal.SIGTERM))

    deputy.process.terminate()

    assert deputy.warm.recv(1) == b"T"
    assert deputy.process.poll() is None


def _catches(pid: int, number: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (caught,) = (line.split()[1] for line in lines if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_it_ends_as_killed_if_the_other_end_does_without_a_word(deputy: Deputy) -> None:
    deputy.asked()
    deputy.warm.sendall(b"+")

    deputy.warm.close()

    assert deputy.process.wait(30) == -signal.SIGKILL


def test_if_there_will_be_no_process_it_becomes_the_program(deputy: Deputy, tmp_path: Path) -> None:
    deputy.warm.close()

    assert deputy.process.wait(30) == 3
    assert (tmp_path / "log").read_text() == "ordinary\n"
