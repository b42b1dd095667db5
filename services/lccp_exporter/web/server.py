"""The HTTP server: uvicorn in a thread of its own."""

import socket
import threading

import uvicorn
from starlette.applications import Starlette

CLOSE_SECONDS = 5


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
        """The port that it listens on; a free one if 0 was asked for."""
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
