"""A process that has imported everything, and the evaluators that it forks."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import warm_stub
from laptop import lives, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks evaluators"),
]


class Server:
    """A warm process, and what its evaluators wrote."""

    def __init__(self, command: tuple[str, ...], log: Path) -> None:
        self.log = log
        self.control, its = socket.socketpair()
        with its:
            command = (*command, str(its.fileno()))
            self.process = subprocess.Popen(command, pass_fds=[its.fileno()])

    def ask(self, do: str, **environ: str) -> socket.socket:
        """Ask for an evaluator that does `do`."""
        ours, its = socket.socketpair()
        with its:
            socket.send_fds(self.control, [b"+"], [its.fileno()])
        text = json.dumps({"DO": do} | environ).encode() + b"\n"
        with self.log.open("ab") as output:
            sent = socket.send_fds(ours, [text], [output.fileno()] * 2)
        ours.sendall(text[sent:])
        ours.settimeout(30)
        return ours

    def pid(self) -> int:
        """Of the evaluator, which writes it."""
        wait_for(lambda: self.log.exists() and self.log.read_text().endswith("\n"))
        return int(self.log.read_text().split()[-1])


@contextmanager
def warm(tmp_path: Path, command: tuple[str, ...] = warm_stub.COMMAND) -> Iterator[Server]:
    server = Server(command, tmp_path / "log")
    try:
        yield server
    finally:
        server.control.close()
        server.process.wait(30)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for evaluators of several tests, as it is one for those of several checkpoints."""
    with warm(tmp_path_factory.mktemp("warm")) as made:
        yield made


@pytest.fixture
def server(shared: Server, tmp_path: Path) -> Server:
    shared.log = tmp_path / "log"
    return shared


def answer(client: socket.socket) -> bytes:
    with client:
        return b"".join(iter(lambda: client.recv(64), b""))


def test_an_evaluator_has_the_environment_and_the_outputs_that_it_was_asked_with(
    server: Server,
) -> None:
    do = "import os, sys; print(sorted(os.environ)); print(os.environ['X'], file=sys.stderr)"

    assert answer(server.ask(do, X="ä" * 100_000)) == b"+0"

    assert server.log.read_text() == f"['DO', 'X']\n{'ä' * 100_000}\n"


@pytest.mark.parametrize(
    ("do", "code"),
    [
        ("raise SystemExit(64)", b"+64"),
        ("1 / 0", b"+1"),
        ("import os; os.kill(os.getpid(), 9)", b"+-9"),
    ],
)
def test_its_end_is_answered_as_it_was(server: Server, do: str, code: bytes) -> None:
    assert answer(server.ask(do)) == code


def test_it_gets_sigterm(server: Server) -> None:
    do = "import signal as s; s.signal(s.SIGTERM, lambda *_: exit(75)); print(1, flush=True)"
    client = server.ask(f"{do}; s.pause(); s.pause()")
    server.pid()

    client.send(b"T")

    assert answer(client) == b"+75"


def test_it_is_killed_with_what_it_started_once_nobody_waits_for_it(server: Server) -> None:
    do = "import subprocess as s; p = s.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    client = server.ask(do)
    child = server.pid()

    client.close()

    wait_for(lambda: not lives(child))
    assert answer(server.ask("")) == b"+0"


def test_the_end_of_one_is_noticed_while_others_run(server: Server) -> None:
    first = server.ask("")
    other = server.ask("import signal; signal.pause()")
    assert other.recv(1) == b"+"

    assert answer(first) == b"+0"
    other.close()


def test_evaluators_end_with_the_process_that_forked_them(tmp_path: Path) -> None:
    do = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    with warm(tmp_path) as server, server.ask(do):
        pid = server.pid()

        os.kill(server.process.pid, signal.SIGKILL)

        wait_for(lambda: not lives(pid))


def test_a_process_with_threads_forks_none(tmp_path: Path) -> None:
    with warm(tmp_path, warm_stub.WITH_A_THREAD) as server:
        assert answer(server.ask("")) == b""
