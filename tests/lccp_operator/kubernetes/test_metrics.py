"""The operator's own metrics, and the endpoint that serves them."""

from collections.abc import Iterator

import pytest
import urllib3
from prometheus_client import CollectorRegistry
from serving import free_port

from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.metrics import Endpoint, Metrics

pytestmark = pytest.mark.slow


def a_metrics(depth: int = 0) -> Metrics:
    return Metrics(CollectorRegistry(), lambda: depth)


def sample(metrics: Metrics, name: str, **labels_: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels_)


def test_a_reconcile_is_counted_by_its_result_and_an_error_also_as_such() -> None:
    metrics = a_metrics()
    metrics.reconciled("success", 0.2)
    metrics.reconciled("error", 0.3)
    metrics.reconciled("error", 0.4)

    name = "lccp_reconcile_duration_seconds_sum"
    assert sample(metrics, name, result="success") == 0.2
    assert sample(metrics, name, result="error") == pytest.approx(0.7)
    assert sample(metrics, "lccp_reconcile_errors_total") == 2


def test_the_last_reconcile_ended_at_the_time_of_the_clock() -> None:
    metrics = Metrics(CollectorRegistry(), lambda: 0, lambda: 1_700_000_000.5)
    metrics.reconciled("success", 0.2)

    assert sample(metrics, "lccp_last_reconcile_timestamp_seconds") == 1_700_000_000.5


def test_calls_are_told_apart_by_what_was_asked_and_answered() -> None:
    metrics = a_metrics(depth=7)
    metrics.api_called("GET", "200", 0.1)
    metrics.store_called("list", "unavailable", 5.0)

    api_calls, store_calls = "lccp_api_call_duration_seconds", "lccp_store_call_duration_seconds"
    assert sample(metrics, f"{api_calls}_count", verb="GET", status="200") == 1
    assert sample(metrics, f"{store_calls}_sum", method="list", result="unavailable") == 5
    assert sample(metrics, "lccp_queue_depth") == 7


FAULTS: list[str] = []


@pytest.fixture
def port() -> Iterator[int]:
    """The port of an endpoint that is unready for `FAULTS`."""
    FAULTS.clear()
    number = free_port()
    endpoint = Endpoint(
        number, a_metrics(depth=3).registry, {"/healthz": lambda: (), "/readyz": lambda: FAULTS}
    )
    endpoint.start()
    yield number
    endpoint.stop()


def answer(port: int, path: str) -> tuple[int, str]:
    response = urllib3.request("GET", f"http://127.0.0.1:{port}{path}", retries=False, timeout=5)
    return response.status, response.data.decode()


def test_faults_make_the_endpoint_unready_and_are_named(port: int) -> None:
    assert answer(port, "/readyz") == (200, "ok")
    FAULTS.extend(["shutting down", "the queue is stuck"])

    assert answer(port, "/readyz") == (500, "shutting down; the queue is stuck")
    assert answer(port, "/healthz") == (200, "ok")


def test_metrics_are_served_and_nothing_else(port: int) -> None:
    status, text = answer(port, "/metrics")

    assert status == 200
    assert "lccp_queue_depth 3.0" in text
    assert answer(port, "/")[0] == 404


def test_a_port_that_is_taken_is_named(port: int) -> None:
    with pytest.raises(InvalidInput, match=f"--port {port} can't be used: Address already in use"):
        Endpoint(port, CollectorRegistry(), {})
