"""`python -m lccp_evaluator.warm FD`: a process that has imported all libraries forks evaluators.

Over the socket FD it is handed one more socket for each evaluator. Over that one

- it is sent the evaluator's environment, a line of JSON, with descriptors of its two outputs;
- it answers a byte once the evaluator exists, or closes it: then there will be none;
- it is sent a byte for each SIGTERM that the evaluator is to get;
- it answers the evaluator's exit code in the end, negative for a signal;
- if its other end is closed, the evaluator's whole process group is killed.

Evaluators end with this process, and this process with FD. Linux only.
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
from lccp_evaluator import main as evaluator

CHUNK = 65_536
THREADS = "/proc/self/task"


class Server:
    """Forks a process that runs `program` for each socket that comes over `control`."""

    def __init__(self, control: socket.socket, program: Callable[[], None]) -> None:
        self._control, self._program = control, program
        self._ready = selectors.DefaultSelector()
        self._ready.register(control, selectors.EVENT_READ, self._handed)

    def serve(self) -> None:
        """Return when `control` is closed at its other end; a forked process never returns."""
        while self._control.fileno() >= 0:
            key, _ = self._ready.select()[0]  # one at a time: it may close the next one
            key.data()

    def _handed(self) -> None:
        _, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not descriptors:
            self._control.close()
            return
        client = socket.socket(fileno=descriptors[0])
        text, outputs = _received(client)
        # A fork loses all threads but one, and never gets back the locks that they hold.
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
        """Close what belongs to the parent."""
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
    """What `client` is sent, up to a line's end unless it was closed before."""
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
    with suppress(OSError):  # nobody waits for it any more
        client.sendall(said)


def _become(environ: dict[str, str], outputs: list[int], parent: int) -> None:
    """Have what an ordinary process is given: environment, outputs, a process group."""
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
    control = socket.socket(fileno=int(sys.argv[1]))
    with evaluator.no_garbage_collection():
        import lccp_evaluator.evaluation  # noqa: F401
    Server(control, evaluator.main).serve()


if __name__ == "__main__":
    main()
