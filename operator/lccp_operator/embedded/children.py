"""Child processes that do not outlive this one; one of them forks evaluators."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SPAWN = Path(__file__).with_name("spawn.py")
DEPUTY = Path(__file__).with_name("deputy.py")


def start(
    command: Sequence[str],
    environ: Mapping[str, str],
    output: IO[bytes],
    descriptors: Sequence[int],
    niceness: int = 0,
) -> "subprocess.Popen[bytes]":
    """Start `command` in its own process group. It inherits `descriptors` and `output`."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(SPAWN), str(os.getpid()), str(niceness), *command],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        pass_fds=descriptors,
    )


class Warm:
    """A process that imports libraries once, for all processes that it forks (Linux).

    `command` speaks lccp_evaluator.starting.warm's protocol. It is started when first needed, and
    inherits the file descriptor `lock`.
    """

    def __init__(self, command: Sequence[str], lock: int) -> None:
        self._command, self._lock = command, lock
        self._process: subprocess.Popen[bytes] | None = None
        self._control = socket.socket()

    def start(
        self, command: Sequence[str], environ: Mapping[str, str], output: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        """A forked process of `command`. Its libraries saw the first call's `environ`."""
        if self._process is None or self._process.poll() is not None:
            self._begin(environ, output)
        with self._connection() as ours:
            deputy = [sys.executable, "-I", "-S", str(DEPUTY), str(ours.fileno()), *command]
            return start(deputy, environ, output, [ours.fileno(), self._lock])

    @property
    def pid(self) -> int | None:
        """Its process id, once it was started."""
        return None if self._process is None else self._process.pid

    def end(self) -> None:
        """Kill it and everything that it forked."""
        self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _begin(self, environ: Mapping[str, str], output: IO[bytes]) -> None:
        self._control.close()
        self._control, its = socket.socketpair()
        with its:
            command = [*self._command, str(its.fileno())]
            self._process = start(command, environ, output, [its.fileno(), self._lock])

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        ours, its = socket.socketpair()
        with ours:
            with its, suppress(OSError):  # it just ended: the deputy will notice
                socket.send_fds(self._control, [b"+"], [its.fileno()])
            yield ours
