"""The operator as a process: Kopf, mirrors, workers, Lease, endpoint, and their orderly end."""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

import kopf
from prometheus_client import CollectorRegistry

from lccp.contract.errors import StoreUnavailable
from lccp.store.open import open_store, probe
from lccp.store.s3_client import Patience
from lccp_operator.kubernetes import api, handlers
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.children.mirror import Mirror
from lccp_operator.kubernetes.children.reading import ChildrenReader
from lccp_operator.kubernetes.children.seen import RunKey
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.lease import Leadership
from lccp_operator.kubernetes.measured import MeasuredStore
from lccp_operator.kubernetes.metrics import Endpoint, Metrics
from lccp_operator.kubernetes.pulse import Pulse
from lccp_operator.kubernetes.queue import WorkQueue
from lccp_operator.kubernetes.reconciler import Reconciler
from lccp_operator.kubernetes.workers import Workers

STALE_SECONDS = 120.0
"""Time that a run may be overdue before the process is no longer healthy."""

CHILDREN_SECONDS = 1.0
"""Between news of a run's children and the look at it."""

STORE_PATIENCE = Patience(connect_seconds=3.0, read_seconds=5.0, retries=2)
"""17 s in all: a store that hangs is to be named within half a minute, and looks are repeated."""

END_SECONDS = 10.0
TICK_SECONDS = 0.2

logger = logging.getLogger(__name__)


class Service:
    """All parts of one replica."""

    def __init__(self, installation: Installation, port: int) -> None:
        self._namespaces = installation.namespaces
        self._queue: WorkQueue[RunKey] = WorkQueue()
        self._stop = threading.Event()
        self._metrics = Metrics(CollectorRegistry(), lambda: len(self._queue))
        connection = api.connect()
        self._leadership = _candidate(installation, api.Cluster(connection))
        guard = self._leadership.guard if self._leadership else lambda: None
        cluster = api.Cluster(connection, guard, self._metrics.api_called)
        self._mirrors = [
            Mirror(cluster, kind, self._namespaces, self._children_changed)
            for kind in (api.JOBS, api.PODS)
        ]
        self._pulses = _pulses(installation, self._metrics, self._store_changed)
        reader = ChildrenReader(cluster, *self._mirrors)
        self._reconciler = Reconciler(cluster, reader, installation, self._pulses)
        self._leading = self._leadership.leading if self._leadership else _always()
        self._led_since: float | None = None
        self._workers = Workers(self._queue, self._reconciler, self._leading, self._metrics)
        self._endpoint = Endpoint(port, self._metrics.registry, self._unhealthy, self._unready)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        asked: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: asked.append(number))
        self._endpoint.start()
        for mirror in self._mirrors:
            mirror.start(self._stop)
        for pulse in self._pulses.values():
            pulse.start(self._stop)
        threads = [
            threading.Thread(target=work, name=work.__name__, daemon=True)
            for work in (self._work, self._feed, self._elect)
        ]
        for thread in threads:
            thread.start()
        while not asked:
            time.sleep(TICK_SECONDS)
            self._note_leading()
        self._stop.set()
        self._workers.stop()
        for thread in threads:
            thread.join(END_SECONDS)
        self._endpoint.stop()

    def _run_changed(self, key: RunKey, body: Object | None) -> None:
        """What a person asked for goes before what children do. A standby holds no bodies."""
        if self._reconciler.hear(key, body, keep=self._leading.is_set()):
            self._queue.add(key, urgent=True)

    def _children_changed(self, key: RunKey) -> None:
        """Jobs and pods change several times at once: one look sees it all."""
        self._reconciler.hear_of_children(key)
        self._queue.add(key, CHILDREN_SECONDS)

    def _store_changed(self, pulse: Pulse) -> None:
        """A store fell silent, or answers again: that is news of all runs in it."""
        for key in self._reconciler.under_way_in(pulse):
            self._children_changed(key)

    def _work(self) -> None:
        """Nothing is looked at before the children of all runs are known."""
        while not all(mirror.synced for mirror in self._mirrors):
            if self._stop.wait(0.05):
                return
        self._workers.start()

    def _elect(self) -> None:
        if self._leadership is not None:
            self._leadership.run(self._stop)

    def _feed(self) -> None:
        """Kopf in this thread; if it ends by itself, so does the process."""
        try:
            kopf.run(
                registry=handlers.registry(self._run_changed, clusterwide=not self._namespaces),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
            )
        except Exception:
            logger.exception("Kopf ended")
        if not self._stop.is_set():
            logger.error("the watch ended: the process ends, and is started anew")
            os.kill(os.getpid(), signal.SIGTERM)

    def _note_leading(self) -> None:
        leads = self._leading.is_set()
        self._metrics.leading.set(leads)
        self._led_since = (self._led_since or time.monotonic()) if leads else None

    def _unhealthy(self) -> Iterator[str]:
        if self._led_since is None or time.monotonic() - self._led_since < STALE_SECONDS:
            return
        overdue = self._queue.overdue_seconds()
        if overdue > STALE_SECONDS:
            yield f"a run has been due for a look for {overdue:.0f} s"

    def _unready(self) -> Iterator[str]:
        if self._stop.is_set():
            yield "shutting down"
        if not all(mirror.synced for mirror in self._mirrors):
            yield "the API server does not tell of Jobs and pods"
        yield from self._unhealthy()


def _candidate(installation: Installation, cluster: api.Cluster) -> Leadership | None:
    if installation.lease is None:
        return None
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    return Leadership(cluster, installation.lease, identity)


def _always() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def _pulses(
    installation: Installation, metrics: Metrics, news: Callable[[Pulse], None]
) -> Mapping[str, Pulse]:
    """The stores by name, each tried once. Raises InvalidInput for one that can't be used."""
    stores = {c.name: open_store(c, patience=STORE_PATIENCE) for c in installation.stores}
    for name, store in stores.items():
        try:
            probe(store)
        except StoreUnavailable as error:
            logger.warning("store %s: %s", name, error)
    return {
        name: Pulse(MeasuredStore(store, metrics.store_called), news)
        for name, store in stores.items()
    }


def serve(installation: Installation, port: int) -> None:
    """Run one replica of the operator until it is told to end."""
    started = time.monotonic()
    Service(installation, port).run()
    logger.info("ended after %.0f s", time.monotonic() - started)
