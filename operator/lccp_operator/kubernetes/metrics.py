"""The operator's own metrics, and the HTTP endpoint that serves them with health and readiness."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from lccp.contract.errors import InvalidInput

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts of reconciles and their durations; the registry is the caller's."""

    def __init__(
        self,
        registry: CollectorRegistry,
        queue_depth: Callable[[], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self._clock = clock
        self._duration = Histogram(
            "lccp_reconcile_duration_seconds",
            "Duration of one reconcile of a run.",
            ["result"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._errors = Counter(
            "lccp_reconcile_errors_total", "Reconciles that failed.", registry=registry
        )
        depth = Gauge("lccp_queue_depth", "Runs that are due for a reconcile.", registry=registry)
        depth.set_function(queue_depth)
        self.leading = Gauge("lccp_leading", "1 on the replica that leads.", registry=registry)
        self._refused = Gauge(
            "lccp_namespace_refused",
            "1 if the API server does not let the operator read a watched namespace (*: all).",
            ["watched_namespace"],
            registry=registry,
        )
        self._last = Gauge(
            "lccp_last_reconcile_timestamp_seconds", "End of the last reconcile.", registry=registry
        )

        self._api = Histogram(
            "lccp_api_call_duration_seconds",
            "Duration of one call to the API server; status 0: no response.",
            ["verb", "status"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._store = Histogram(
            "lccp_store_call_duration_seconds",
            "Duration of one call to an object store.",
            ["method", "result"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )

    def api_called(self, verb: str, status: str, seconds: float) -> None:
        """One call of the API server ended."""
        self._api.labels(verb, status).observe(seconds)

    def store_called(self, method: str, result: str, seconds: float) -> None:
        """One call of a store ended."""
        self._store.labels(method, result).observe(seconds)

    def refused(self, namespace: str, is_refused: bool) -> None:
        """Whether the API server lets the operator read that namespace."""
        self._refused.labels(namespace).set(is_refused)

    def reconciled(self, result: str, seconds: float) -> None:
        """One reconcile ended."""
        self._duration.labels(result).observe(seconds)
        self._last.set(self._clock())
        if result == "error":
            self._errors.inc()


class Endpoint:
    """`/metrics` on one port, and `checks` by their path: each reports problems, if any."""

    def __init__(
        self,
        port: int,
        registry: CollectorRegistry,
        checks: Mapping[str, Callable[[], Iterable[str]]],
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif self.path in checks:
                    faults = "; ".join(checks[self.path]())
                    self._answer(500 if faults else 200, (faults or "ok").encode(), "text/plain")
                else:
                    self._answer(404, b"not found", "text/plain")

            def log_message(self, *_: object) -> None:
                """Probes are not worth a line each."""

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        try:
            self._server = ThreadingHTTPServer(("", port), Handler)
        except OSError as error:
            raise InvalidInput(f"--port {port} can't be used: {error.strerror}") from None

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
