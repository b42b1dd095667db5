"""Represents a process that a warm one forks. A script; needs only the standard library.

    python -I -S deputy.py <file descriptor> <program> [argument ...]

Over the socket it requests an evaluator with its own environment and outputs from the warm process
(lccp_evaluator.starting.warm). It forwards SIGTERM to the evaluator, and ends as that does; if it
is killed, so is the evaluator. If the warm process can't fork one, this process becomes the
program.
"""

import json
import os
import signal
import socket
import sys
from types import FrameType

CHUNK = 64


def main(arguments: list[str]) -> int:
    warm, command = socket.socket(fileno=int(arguments[0])), arguments[1:]
    if not exists(warm):
        warm.close()
        os.execvp(command[0], command)
    return wait(warm)


def exists(warm: socket.socket) -> bool:
    """Whether the warm process has forked an evaluator for us."""
    request = json.dumps(dict(os.environ)).encode() + b"\n"
    outputs = [sys.stdout.fileno(), sys.stderr.fileno()]
    try:
        if rest := request[socket.send_fds(warm, [request], outputs) :]:
            warm.sendall(rest)
        return warm.recv(1) != b""
    except OSError:
        return False


def wait(warm: socket.socket) -> int:
    """The exit code; a signal that ended the evaluator ends this process."""

    def forward(number: int, frame: FrameType | None) -> None:
        warm.send(b"T")

    signal.signal(signal.SIGTERM, forward)
    said = b"".join(iter(lambda: warm.recv(CHUNK), b""))
    # Without a word the warm process was killed, and so was the evaluator.
    code = int(said) if said else -signal.SIGKILL
    if code < 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
