"""A proxy before a real S3 server that injects faults on demand, as networks do."""

import http.client
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from serving import serving

_TIMEOUT_SECONDS = 30
_MIB = 1 << 20
_RECEIVE_BUFFER_BYTES = 1 << 20
_HOP_HEADERS = {"connection", "transfer-encoding", "keep-alive"}


class Fault(Enum):
    """What happens to one request."""

    BUSY = auto()
    TOO_MANY_REQUESTS = auto()
    CLOSED = auto()
    ANSWER_LOST = auto()
    BODY_CUT = auto()
    NOT_S3 = auto()
    BROKEN_XML = auto()
    NO_SUCH_KEY = auto()
    SILENT = auto()


_ANSWERS = {
    Fault.BUSY: (503, "text/html", b"<html>busy</html>"),
    Fault.TOO_MANY_REQUESTS: (429, "text/plain", b"slow down"),
    Fault.NOT_S3: (404, "text/html", b"<html>welcome</html>"),
    Fault.BROKEN_XML: (400, "application/xml", b"<Error><Code>"),
    Fault.NO_SUCH_KEY: (404, "application/xml", b"<Error><Code>NoSuchKey</Code></Error>"),
}


@dataclass
class FaultyProxy:
    """Where it listens, and what to do with the requests to come.

    `faults` are used up one a request, None meaning that the request passes; `always` is the fault
    of all others. Request headers in `dropped` never reach the server. It rests for
    `rest_seconds` after each MiB that a client sends.
    """

    endpoint: str
    upstream: str
    faults: deque[Fault | None] = field(default_factory=deque)
    always: Fault | None = None
    dropped: set[str] = field(default_factory=set)
    rest_seconds: float = 0.0
    requests: list[str] = field(default_factory=list)

    def reset(self) -> None:
        self.faults = deque()
        self.always = None
        self.dropped = set()
        self.rest_seconds = 0.0
        self.requests = []

    def next_fault(self) -> Fault | None:
        return self.faults.popleft() if self.faults else self.always


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_SECONDS
    disable_nagle_algorithm = True
    proxy: FaultyProxy

    def _handle(self) -> None:
        self.proxy.requests.append(f"{self.command} {urlsplit(self.path).path}")
        body = self._body(int(self.headers.get("Content-Length", 0)))
        fault = self.proxy.next_fault()
        if fault in _ANSWERS:
            self._answer(*_ANSWERS[fault])
        elif fault is Fault.CLOSED:
            self.close_connection = True
        elif fault is Fault.SILENT:
            self.rfile.read(1)
            self.close_connection = True
        else:
            self._forward(body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def _body(self, size: int) -> bytes:
        pieces = []
        for start in range(0, size, _MIB):
            pieces.append(self.rfile.read(min(_MIB, size - start)))
            time.sleep(self.proxy.rest_seconds)
        return b"".join(pieces)

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        upstream = urlsplit(self.proxy.upstream)
        connection = http.client.HTTPConnection(upstream.netloc, timeout=_TIMEOUT_SECONDS)
        headers = {k: v for k, v in self.headers.items() if k not in self.proxy.dropped}
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if fault is Fault.ANSWER_LOST:
            self.close_connection = True
        else:
            self._relay(answer, content, cut=fault is Fault.BODY_CUT)

    def _relay(self, answer: http.client.HTTPResponse, content: bytes, cut: bool) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_HEADERS | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut

    def _answer(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        return


@contextmanager
def faulty_proxy(upstream: str, tls: ssl.SSLContext | None = None) -> Iterator[FaultyProxy]:
    """A proxy on a free port before `upstream`; with `tls`, it speaks HTTPS to its clients."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    proxy = FaultyProxy(f"{scheme}://127.0.0.1:{server.server_address[1]}", upstream)
    handler.proxy = proxy
    with serving(server):
        yield proxy
