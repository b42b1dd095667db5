"""The application: metrics, health, and what there is not."""

import pytest
from scraped import Scraped
from starlette.testclient import TestClient

from lccp_exporter.exposition import CONTENT_TYPE
from lccp_exporter.health import ExportHealth
from lccp_exporter.refresh import Runs, StoreWatch
from lccp_exporter.web.app import application


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
