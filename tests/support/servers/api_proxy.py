"""A proxy before a real API server: it counts writes, injects faults, and can disappear.

It speaks HTTP to its clients and uses the administrator's connection, so clients need no
credentials.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from serving import serving

READ_SECONDS = 400
RELAYED_HEADERS = ("Content-Type", "Retry-After")
FORWARDED_HEADERS = ("Accept", "Content-Type")


@dataclass(frozen=True)
class Fault:
    """An answer of the proxy's own, after `seconds`, to requests whose method and path match."""

    method: str
    path_part: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class ApiProxy:
    """`faults` are used up one a matching request; `after_write` is told how many writes were done.

    It is called when the API server has answered, and before the client learns of it. A write,
    named by method and path, is done within `around_write`.
    """

    url: str
    upstream: client.ApiClient
    faults: deque[Fault] = field(default_factory=deque)
    around_write: Callable[[str], AbstractContextManager[None]] = nullcontext
    after_write: Callable[[int], None] = lambda _: None
    writes: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    down: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that leads here."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": self.url}}],
            "users": [{"name": "anyone", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anyone"}}],
            "current-context": "proxy",
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.method == method and fault.path_part in path:
                    self.faults.remove(fault)
                    return fault
        return None

    def note(self, write: str) -> None:
        """A write of a run's objects was done."""
        with self.lock:
            self.writes.append(write)
            number = len(self.writes)
        self.after_write(number)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: ApiProxy

    def _handle(self) -> None:
        self.proxy.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.proxy.down:
            self.close_connection = True
            return
        fault = self.proxy.fault(self.command, self.path)
        with suppress(ConnectionError, urllib3.exceptions.HTTPError):
            if fault is None:
                self._forward(body)
            else:
                time.sleep(fault.seconds)
                self._answer(fault.status, fault.headers, json.dumps(fault.body).encode())

    do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def _forward(self, body: bytes) -> None:
        write = _write(self.command, self.path, body)
        with nullcontext() if write is None else self.proxy.around_write(write):
            answer = self._asked(body)
        if write is not None and 200 <= answer.status < 300:
            self.proxy.note(write)
        relayed = {name: answer.headers[name] for name in RELAYED_HEADERS if name in answer.headers}
        if self._watches:
            self._stream(answer, relayed)
        else:
            self._answer(answer.status, relayed, answer.data)

    @property
    def _watches(self) -> bool:
        return "watch=" in self.path

    def _asked(self, body: bytes) -> Any:
        """The API server's answer; that of a watch is yet to be read."""
        upstream = self.proxy.upstream
        headers = {n: self.headers[n] for n in FORWARDED_HEADERS if n in self.headers}
        _, url, headers, _, _ = upstream.param_serialize(
            self.command, self.path, header_params=headers, auth_settings=["BearerToken"]
        )
        return upstream.rest_client.pool_manager.request(
            *(self.command, url),
            body=body or None,
            headers=headers,
            preload_content=not self._watches,
            timeout=READ_SECONDS,
            retries=False,
        )

    def _stream(self, answer: Any, headers: dict[str, str]) -> None:
        self._head(answer.status, headers | {"Transfer-Encoding": "chunked"})
        try:
            for chunk in answer.read_chunked():
                if self.proxy.down:
                    self.close_connection = True
                    return
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        finally:
            answer.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._head(status, headers | {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


def _write(method: str, path: str, body: bytes) -> str | None:
    """Method and path, with the new object's name, of a write of a run's objects; else None."""
    if method == "GET" or "/leases" in path:
        return None
    name = f"/{json.loads(body)['metadata']['name']}" if method == "POST" else ""
    return f"{method} {path.partition('?')[0]}{name}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        return


@contextmanager
def api_proxy(kubeconfig: Path) -> Iterator[ApiProxy]:
    """A proxy on a free port before the API server of `kubeconfig`."""
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=settings)
    settings.connection_pool_maxsize = 50
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    proxy = ApiProxy(f"http://127.0.0.1:{server.server_port}", client.ApiClient(settings))
    handler.proxy = proxy
    with closing(proxy.upstream), serving(server):
        yield proxy
