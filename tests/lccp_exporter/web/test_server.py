"""The HTTP server."""

import socket
import urllib.request

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lccp_exporter.web.server import Server


def said(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("served")


APP = Starlette(routes=[Route("/", said)])


@pytest.mark.slow
def test_it_serves_on_a_free_port_until_it_is_closed() -> None:
    server = Server("127.0.0.1", 0, APP)
    port = server.port
    server.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read() == b"served"
    finally:
        server.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def test_a_port_that_is_taken_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Server("127.0.0.1", taken.getsockname()[1], APP)


def test_one_that_was_never_started_is_closed_too() -> None:
    Server("127.0.0.1", 0, APP).close()
