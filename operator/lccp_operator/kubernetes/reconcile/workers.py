"""Workers: they take runs from the queue and reconcile them while this replica leads."""

import logging
import math
import threading
import time

from lccp.contract.errors import Conflict, LccpError
from lccp.logs import about
from lccp_operator.kubernetes.metrics import Metrics
from lccp_operator.kubernetes.reconcile.queue import WorkQueue
from lccp_operator.kubernetes.reconcile.reconciler import Reconciler
from lccp_operator.kubernetes.workloads.seen import RunKey

BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
LEAD_SECONDS = 0.2
"""Seconds between two checks of whether this replica leads."""

logger = logging.getLogger(__name__)


class Workers:
    """`number` threads that reconcile."""

    def __init__(
        self,
        queue: WorkQueue[RunKey],
        reconciler: Reconciler,
        leading: threading.Event,
        metrics: Metrics,
        number: int = 16,
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._leading = leading
        self._metrics = metrics
        self._failures: dict[RunKey, int] = {}
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{i}", daemon=True)
            for i in range(number)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_seconds: float = 20.0) -> None:
        """Let every worker finish its reconcile; some may not have been started yet."""
        self._queue.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout_seconds)

    def _work(self) -> None:
        while self._leads() and (key := self._queue.take()) is not None:
            try:
                self._reconcile(key)
            finally:
                self._queue.done(key)

    def _leads(self) -> bool:
        """Wait until this replica leads; False if the queue is closed before."""
        while not self._leading.wait(LEAD_SECONDS):
            if self._queue.closed:
                return False
        return True

    def _reconcile(self, key: RunKey) -> None:
        started = time.monotonic()
        with about(run=f"{key.namespace}/{key.name}"):
            result, after = self._outcome(key)
        self._metrics.reconciled(result, time.monotonic() - started)
        if after < math.inf:
            self._queue.add(key, after)

    def _outcome(self, key: RunKey) -> tuple[str, float]:
        """How the reconcile ended, and seconds until the next one."""
        try:
            after = self._reconciler.reconcile(key)
        except Conflict as error:
            logger.info("%s", error)
            return "conflict", self._backoff(key) / 2
        except LccpError as error:
            logger.warning("%s", error)
            return "error", self._backoff(key)
        except Exception:
            logger.exception("the reconcile failed")
            return "error", self._backoff(key)
        self._failures.pop(key, None)
        return "success", after

    def _backoff(self, key: RunKey) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
