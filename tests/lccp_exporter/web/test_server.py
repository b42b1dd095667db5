"""The HTTP server, and what the application answers: metrics, health, and what there is not."""

import socket
import urllib.request

import pytest
from scraped import Scraped
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lccp_exporter.exposition import CONTENT_TYPE
from lccp_exporter.health import ExportHealth
from lccp_exporter.refresh import Runs, StoreWatch
from lccp_exporter.web.server import Server, application


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


@pytest.mark.slow
def test_metrics_are_those_of_all_runs_and_exports(watch: StoreWatch) -> None:
    exports = [ExportHealth("default", "tiny", "MLflow")]
    client = TestClient(application(Runs([watch]), lambda: True, lambda: exports))

    answer = client.get("/metrics")

    assert answer.headers["content-type"] == CONTENT_TYPE
    scraped = Scraped.text(answer.text)
    assert scraped.value("lccp_trained_tokens", namespace="default", run="tiny") is not None
    assert scraped.samples("lccp_exporter_export_failed", tracker="MLflow")


@pytest.mark.parametrize(("healthy", "answer"), [(True, (200, "ok\n")), (False, (503, None))])
def test_a_process_is_healthy_while_its_threads_run(
    healthy: bool, answer: tuple[int, str | None]
) -> None:
    got = TestClient(application(Runs([]), lambda: healthy)).get("/healthz")

    assert got.status_code == answer[0]
    assert got.text == (answer[1] or "a thread has ended\n")


def test_a_problem_of_any_route_is_one_sentence() -> None:
    got = TestClient(application(Runs([]), lambda: True)).get("/runs/default/none")

    assert (got.status_code, got.json()) == (404, {"detail": "there is no run default/none"})
