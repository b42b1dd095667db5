"""A server that sends each answer in small pieces, as slowly as a test wants."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event

from serving import serving


@dataclass
class Trickle:
    """Where it listens, and how it answers: `answer`, head and body, a piece at a time."""

    answer: bytes
    piece_bytes: int
    rest_seconds: float
    before_seconds: float
    endpoint: str = ""
    requests: list[str] = field(default_factory=list)
    over: Event = field(default_factory=Event)


def whole(body: bytes) -> bytes:
    """An answer with this body."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: one\r\n"
    return f"{head}Content-Type: application/xml\r\n\r\n".encode() + body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def trickling(
    answer: bytes,
    piece_bytes: int,
    rest_seconds: float,
    tls: ssl.SSLContext | None = None,
    before_seconds: float = 0.0,
) -> Iterator[Trickle]:
    """Answer every request with `answer`, resting before it and after each piece of it."""
    found = Trickle(answer, piece_bytes, rest_seconds, before_seconds)

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.close_connection = True
            found.requests.append(self.rfile.readline().decode())
            while self.rfile.readline().strip():
                pass
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError):
                self._trickle()

        def _trickle(self) -> None:
            found.over.wait(found.before_seconds)
            for start in range(0, len(found.answer), found.piece_bytes):
                self.connection.sendall(found.answer[start : start + found.piece_bytes])
                if found.over.wait(found.rest_seconds):
                    return

    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    with serving(server):
        try:
            yield found
        finally:
            found.over.set()
