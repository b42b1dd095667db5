"""A small HTTP server in this process, for the duration of a block; ports for those of others."""

import itertools
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

_PORTS = 1_000
_FIRST = 11_000 + _PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.cycle(random.Random(os.getpid()).sample(range(_FIRST, _FIRST + _PORTS), _PORTS))


def free_port() -> int:
    """A port for a program that is about to start.

    It is none that the kernel gives to whoever asks for any, or that another worker of these tests
    takes: either might be taken before the program has begun.
    """
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asking.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread until the block ends, then close."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
