"""The HTTP server: metrics, health, API and pages, by uvicorn in a separate thread."""

import socket
import threading
from collections.abc import Callable, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lccp_exporter import exposition
from lccp_exporter.health import ExportHealth
from lccp_exporter.refresh import Runs
from lccp_exporter.web import api, openapi, pages
from lccp_exporter.web.answers import Problem, problem

CLOSE_SECONDS = 5


def application(
    runs: Runs,
    healthy: Callable[[], bool],
    exports: Callable[[], Sequence[ExportHealth]] = tuple,
) -> Starlette:
    """The application over `runs`; `healthy` decides the answer of `/healthz`: 200 or 503.

    `exports` returns the health of exports to trackers.
    """

    def metrics(_request: Request) -> Response:
        lines = [run.lines for run in runs.all()]
        page = exposition.page(lines, runs.stores(), exports())
        return StreamingResponse(page, media_type=exposition.CONTENT_TYPE)

    def healthz(_request: Request) -> Response:
        if healthy():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("a thread has ended\n", status_code=503)

    own = [Route("/metrics", metrics), Route("/healthz", healthz)]
    return Starlette(
        routes=[*own, *api.routes(runs), openapi.route(), *pages.routes(runs)],
        exception_handlers={Problem: problem},
    )


class Server:
    """Serves the application until it is closed. Raises OSError if it can't listen."""

    def __init__(self, host: str, port: int, app: Starlette) -> None:
        self._socket = socket.create_server((host, port), family=_family(host))
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on; a free one if 0 was requested."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2 * CLOSE_SECONDS)
        self._socket.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
