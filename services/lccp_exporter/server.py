"""The HTTP endpoint: `/metrics` and `/healthz`."""

import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def application(registry: CollectorRegistry, healthy: Callable[[], bool]) -> WsgiApp:
    """The WSGI application; `healthy` decides what `/healthz` answers: 200 or 503."""
    metrics: WsgiApp = make_wsgi_app(registry)

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                return metrics(environ, start_response)
            case "/healthz" if healthy():
                status, body = "200 OK", b"ok\n"
            case "/healthz":
                status, body = "503 Service Unavailable", b"a refresh thread has ended\n"
            case "/":
                status, body = "200 OK", b"LCCP exporter: /metrics, /healthz\n"
            case _:
                status, body = "404 Not Found", b"there is /metrics and /healthz\n"
        start_response(status, TEXT)
        return [body]

    return respond


class Server:
    """Serves the application in threads, until it is closed."""

    def __init__(self, host: str, port: int, app: WsgiApp) -> None:
        self._server = make_server(host, port, app, ThreadingWSGIServer, _QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="http")

    @property
    def port(self) -> int:
        """The port that it listens on; a free one if 0 was asked for."""
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _QuietHandler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not worth a line."""
