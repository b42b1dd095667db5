"""The operator as a process: Kopf, informers, workers, Lease, endpoint, and their orderly end."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry

from lccp.store.open import open_store
from lccp.store.s3.client import Patience
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.handlers import RunWatch
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.instrumented_store import InstrumentedStore
from lccp_operator.kubernetes.lease import candidate
from lccp_operator.kubernetes.metrics import Endpoint, Metrics
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.deletions import UnseenDeletions
from lccp_operator.kubernetes.reconcile.emptied import EmptiedPrefixes
from lccp_operator.kubernetes.reconcile.queue import WorkQueue
from lccp_operator.kubernetes.reconcile.reconciler import Reconciler
from lccp_operator.kubernetes.reconcile.workers import Workers
from lccp_operator.kubernetes.run_states import RunStates
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.informer import EVERYWHERE, Informer
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.kubernetes.workloads.seen import RunKey

STALE_SECONDS = 120.0
"""How long one call may take, or runs be due while no worker gets on, in a healthy process."""

WORKLOADS_SECONDS = 1.0
"""Between a change of a run's workloads and its reconcile: they change several at a time."""

AT_REST_SECONDS = 5.0
"""The same for the first run at rest whose store changed: those that are under way go first."""
AT_REST_TOLD = 40.0
"""How many of them are told a second of an outage: the status of each is written."""
AT_REST_READ = 10.0
"""How many a second when the store answers again: each is also read in full, for up to 0.1 s of the
processor."""

STORE_PATIENCE = Patience(connect_seconds=3.0, read_seconds=5.0, retries=2)
"""17 s in total: a hanging store is reported within half a minute; reconciles are repeated."""

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
        self._leadership = candidate(api.Cluster(connection), installation.lease)
        guard = self._leadership.guard if self._leadership else lambda: None
        cluster = api.Cluster(connection, guard, self._api_called)
        # Runs carry no label of a run: that of runs knows only whether they may be read.
        self._informers = [
            Informer(cluster, kind, self._namespaces, self._workloads_changed)
            for kind in (api.JOBS, api.PODS, api.SERVICES, api.RUNS)
        ]
        self._stores = _stores(installation, self._metrics, self._store_changed)
        reader = WorkloadReader(cluster, *self._informers[:3])
        self._leading = self._leadership.leading if self._leadership else _always()
        self._states = RunStates(self._leading.is_set)
        self._metrics.registry.register(self._states)
        ownership = Ownership(cluster, installation)
        self._reconciler = Reconciler(
            cluster, reader, installation, ownership, self._stores, self._states
        )
        self._deletions = UnseenDeletions(
            cluster, ownership, self._namespaces, self._stores, self._states.note_deleted
        )
        self._prefixes = EmptiedPrefixes(
            self._reconciler.memories, self._stores, self._workloads_changed
        )
        self._runs = RunWatch(cluster, self._namespaces, self._run_changed)
        self._led_since: float | None = None
        self._workers = Workers(self._queue, self._reconciler, self._leading, self._metrics)
        checks = {"/healthz": self._unhealthy, "/readyz": self._unready, "/stores": self._outages}
        self._endpoint = Endpoint(port, self._metrics.registry, checks)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        asked: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: asked.append(number))
        self._endpoint.start()
        for health in self._stores.values():
            health.ask()
        for informer in self._informers:
            informer.start(self._stop)
        for health in self._stores.values():
            health.start(self._stop)
        threads = [
            threading.Thread(target=work, name=work.__name__, daemon=True)
            for work in (
                self._work,
                self._runs.follow,
                self._elect,
                self._look_for_deletions,
                self._look_for_emptied,
                self._look_for_late,
            )
        ]
        for thread in threads:
            thread.start()
        while not (asked or any(informer.restored for informer in self._informers)):
            time.sleep(TICK_SECONDS)
            self._note_leading()
            self._note_refusals()
        if not asked:
            logger.error(
                "the API server was restored from an older snapshot, of which watches report "
                "nothing: the process exits, is restarted, and reads everything again"
            )
        self._stop.set()
        self._runs.stop()
        self._workers.stop()
        for thread in threads:
            thread.join(END_SECONDS)
        self._endpoint.stop()

    def _api_called(self, verb: str, status: str, seconds: float) -> None:
        self._metrics.api_called(verb, status, seconds)
        self._queue.note_progress()

    def _run_changed(self, key: RunKey, body: Object | None) -> None:
        """A person's request goes before changes of workloads. A standby keeps no objects.

        It knows what was deleted, since it may lead the next moment.
        """
        if body is None:
            self._states.note_deleted(key)
        if self._reconciler.run_changed(key, body, keep=self._leading.is_set()):
            self._queue.add(key, urgent=True)

    def _workloads_changed(self, key: RunKey, after_seconds: float = WORKLOADS_SECONDS) -> None:
        """Jobs and pods change several at a time: one reconcile sees them all."""
        self._reconciler.workloads_changed(key)
        self._queue.add(key, after_seconds)

    def _store_changed(self, health: StoreHealth) -> None:
        """A store stopped answering, or answers again: that affects all runs in it."""
        pace = AT_REST_READ if health.outage is None else AT_REST_TOLD
        waits = WORKLOADS_SECONDS, AT_REST_SECONDS, pace
        for key, seconds in self._reconciler.memories.to_be_told(health.store, *waits):
            self._workloads_changed(key, seconds)

    def _work(self) -> None:
        """Nothing is reconciled before the workloads of all runs are known."""
        while not all(informer.synced for informer in self._informers):
            if self._stop.wait(0.05):
                return
        self._workers.start()

    def _elect(self) -> None:
        if self._leadership is not None:
            self._leadership.run(self._stop)

    def _look_for_deletions(self) -> None:
        self._deletions.follow(self._stop, self._leading)

    def _look_for_emptied(self) -> None:
        self._prefixes.follow(self._stop, self._leading)

    def _look_for_late(self) -> None:
        self._reconciler.late.follow(self._stop)

    def _note_leading(self) -> None:
        leads = self._leading.is_set()
        self._metrics.leading.set(leads)
        self._led_since = (self._led_since or time.monotonic()) if leads else None

    def _note_refusals(self) -> None:
        refused = self._refused()
        for namespace in self._namespaces or (EVERYWHERE,):
            self._metrics.refused(namespace, namespace in refused)

    def _refused(self) -> set[str]:
        """The namespaces in which the API server does not let it read all that it needs."""
        return {name for informer in self._informers for name in informer.refusals}

    def _unhealthy(self) -> Iterator[str]:
        if self._led_since is None or time.monotonic() - self._led_since < STALE_SECONDS:
            return
        overdue = self._queue.overdue_seconds()
        if overdue > STALE_SECONDS:
            yield f"a run has been due for a reconcile for {overdue:.0f} s"

    def _unready(self) -> Iterator[str]:
        if self._stop.is_set():
            yield "shutting down"
        if not all(informer.synced for informer in self._informers):
            yield "the API server does not report LCCPRuns, Jobs, pods and Services"
        elif self._namespaces and self._refused().issuperset(self._namespaces):
            yield "the API server lets the operator read none of its namespaces in full"
        if self._runs.lacks:
            yield self._runs.lacks
        if self._leadership is not None and self._leadership.problem:
            yield self._leadership.problem
        yield from self._unhealthy()

    def _outages(self) -> Iterator[str]:
        """Not a reason to be unready: the runs of other stores continue."""
        for name, health in self._stores.items():
            if health.outage is not None:
                yield f"store {name}: {health.outage.why}"


def _always() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def _stores(
    installation: Installation, metrics: Metrics, on_change: Callable[[StoreHealth], None]
) -> Mapping[str, StoreHealth]:
    """The stores by name. Raises InvalidInput for a misconfigured one."""
    stores = {
        config.name: open_store(config, patience=STORE_PATIENCE, late_credentials=True)
        for config in installation.stores
    }
    return {
        name: StoreHealth(InstrumentedStore(store, metrics.store_called), on_change)
        for name, store in stores.items()
    }


def serve(installation: Installation, port: int) -> None:
    """Run one replica of the operator until it is requested to end."""
    started = time.monotonic()
    Service(installation, port).run()
    logger.info("ended after %.0f s", time.monotonic() - started)
