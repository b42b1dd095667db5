"""The operator as a process: Kopf, workers, Lease, endpoint, and their orderly end."""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator

import kopf
from prometheus_client import CollectorRegistry

from lccp_operator.kubernetes import handlers
from lccp_operator.kubernetes.cluster import Cluster, connect
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.lease import Leadership
from lccp_operator.kubernetes.metrics import Endpoint, Metrics
from lccp_operator.kubernetes.queue import WorkQueue
from lccp_operator.kubernetes.reconciler import Reconciler, RunKey
from lccp_operator.kubernetes.workers import Workers

STALE_SECONDS = 120.0
"""Time that a run may be overdue before the process is no longer healthy."""

logger = logging.getLogger(__name__)


class Service:
    """All parts of one replica."""

    def __init__(self, installation: Installation, port: int) -> None:
        self._cluster: Cluster = connect()
        self._installation = installation
        self._queue: WorkQueue[RunKey] = WorkQueue()
        self._stop = threading.Event()
        self._leading = threading.Event()
        self._leadership = self._candidate()
        self.metrics = Metrics(CollectorRegistry(), lambda: len(self._queue))
        guard = self._leadership.guard if self._leadership else lambda: None
        self._reconciler = Reconciler(self._cluster, installation, guard)
        self._workers = Workers(self._queue, self._reconciler, self._leading, self.metrics)
        self._endpoint = Endpoint(port, self.metrics.registry, self._unhealthy, self._unready)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self._endpoint.start()
        self._workers.start()
        feeding = threading.Thread(target=self._feed, name="kopf", daemon=True)
        feeding.start()
        electing = threading.Thread(target=self._elect, name="lease", daemon=True)
        electing.start()
        while not self._stop.wait(1.0):
            self.metrics.leading.set(self._leading.is_set())
        self._workers.stop()
        electing.join(10.0)
        feeding.join(10.0)
        self._endpoint.stop()

    def _candidate(self) -> Leadership | None:
        settings = self._installation.lease
        if settings is None:
            self._leading.set()
            return None
        identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        leadership = Leadership(self._cluster, settings, identity)
        self._leading = leadership.leading
        return leadership

    def _elect(self) -> None:
        if self._leadership is not None:
            self._leadership.run(self._stop)

    def _feed(self) -> None:
        """Kopf in this thread; if it ends by itself, so does the process."""
        namespaces = self._installation.namespaces
        try:
            kopf.run(
                registry=handlers.registry(self._queue),
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=self._stop,
            )
        except Exception:
            logger.exception("Kopf ended")
        if not self._stop.is_set():
            logger.error("the watch ended: the process ends, and is started anew")
            os.kill(os.getpid(), signal.SIGTERM)

    def _unhealthy(self) -> Iterator[str]:
        overdue = self._queue.overdue_seconds()
        if self._leading.is_set() and overdue > STALE_SECONDS:
            yield f"a run has been due for a look for {overdue:.0f} s"

    def _unready(self) -> Iterator[str]:
        if self._stop.is_set():
            yield "shutting down"
        yield from self._unhealthy()


def serve(installation: Installation, port: int) -> None:
    """Run one replica of the operator until it is told to end."""
    started = time.monotonic()
    Service(installation, port).run()
    logger.info("ended after %.0f s", time.monotonic() - started)
