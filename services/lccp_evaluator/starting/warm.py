"""`python -m lccp_evaluator.starting.warm FD`: forks evaluators with libraries imported.

Over the socket FD it receives one more socket for each evaluator. On that socket

- it receives the evaluator's environment, a line of JSON, and the descriptors of its two outputs;
- it sends a byte once the evaluator exists, or closes the socket if it can't fork one;
- it receives a byte for each SIGTERM to send to the evaluator;
- it sends the evaluator's exit code at the end, negative for a signal;
- it kills the evaluator's whole process group if the other end is closed.

If this process ends, so do its evaluators; it ends when FD is closed. Linux only.
"""

import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from lccp.lifeline import PARENT_PID, die_with_parent, kill_group
from lccp_evaluator.starting import heap

CHUNK = 65_536
THREADS = "/proc/self/task"


class Server:
    """Forks a process that runs `program` for each socket received over `control`."""

    def __init__(self, control: socket.socket, program: Callable[[], None]) -> None:
        self._control, self._program = control, program
        self._ready = selectors.DefaultSelector()
        self._ready.register(control, selectors.EVENT_READ, self._handed)

    def serve(self) -> None:
        """Run until the other end of `control` is closed; never returns in a forked process."""
        while self._control.fileno() >= 0:
            key, _ = self._ready.select()[0]  # one at a time: handling it may close the next
            key.data()

    def _handed(self) -> None:
        _, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not descriptors:
            self._control.close()
            return
        client = socket.socket(fileno=descriptors[0])
        text, outputs = _received(client)
        # A fork keeps only one thread; locks that the others hold are never released.
        if text.endswith(b"\n") and len(os.listdir(THREADS)) == 1:
            self._fork(client, json.loads(text), outputs)
        else:
            client.close()
        for output in outputs:
            os.close(output)

    def _fork(self, client: socket.socket, environ: dict[str, str], outputs: list[int]) -> None:
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            client.close()
            self._leave()
            _become(environ, outputs, parent)
            sys.exit(self._program())
        os.setpgid(pid, pid)
        ended = os.pidfd_open(pid)
        read = selectors.EVENT_READ
        self._ready.register(client, read, partial(self._told, client, pid))
        self._ready.register(ended, read, partial(self._ended, client, pid, ended))
        _answer(client, b"+")

    def _leave(self) -> None:
        """Close the parent's sockets and descriptors."""
        for key in list(self._ready.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        self._ready.close()

    def _told(self, client: socket.socket, pid: int) -> None:
        if _read(client):
            os.kill(pid, signal.SIGTERM)
        else:
            self._ready.unregister(client)
            kill_group(pid)

    def _ended(self, client: socket.socket, pid: int, ended: int) -> None:
        kill_group(pid)
        _, status = os.waitpid(pid, 0)
        self._ready.unregister(ended)
        os.close(ended)
        _answer(client, b"%d" % os.waitstatus_to_exitcode(status))
        with suppress(KeyError):
            self._ready.unregister(client)
        client.close()


def _received(client: socket.socket) -> tuple[bytes, list[int]]:
    """The text up to a line's end, or all of it if `client` is closed before; and descriptors."""
    text, descriptors, _, _ = socket.recv_fds(client, CHUNK, 2)
    while not text.endswith(b"\n") and (more := client.recv(CHUNK)):
        text += more
    return text, descriptors


def _read(client: socket.socket) -> bytes:
    try:
        return client.recv(1)
    except ConnectionError:
        return b""


def _answer(client: socket.socket, said: bytes) -> None:
    with suppress(OSError):  # nobody is waiting for it
        client.sendall(said)


def _become(environ: dict[str, str], outputs: list[int], parent: int) -> None:
    """Take on what an ordinary process is given: environment, outputs, a process group."""
    os.setpgid(0, 0)
    os.environ[PARENT_PID] = str(parent)
    die_with_parent()
    os.environ.clear()
    os.environ.update(environ)
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
        os.close(output)
    sys.argv[1:] = []


def main() -> None:
    """Entry point."""
    heap.begin()
    from lccp_evaluator import main as evaluator

    control = socket.socket(fileno=int(sys.argv[1]))
    with evaluator.no_garbage_collection():
        import lccp_evaluator.evaluation  # noqa: F401
    Server(control, evaluator.main).serve()


if __name__ == "__main__":
    main()
