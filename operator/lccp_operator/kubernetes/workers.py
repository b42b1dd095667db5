"""Workers: they take runs from the queue and look at them while this replica leads."""

import logging
import threading
import time

from lccp.api.errors import Conflict, LccpError
from lccp_operator.kubernetes.metrics import Metrics
from lccp_operator.kubernetes.queue import WorkQueue
from lccp_operator.kubernetes.reconciler import Reconciler, RunKey

BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
AT_REST_SECONDS = 600.0

logger = logging.getLogger(__name__)


class Workers:
    """`number` threads that reconcile."""

    def __init__(
        self,
        queue: WorkQueue[RunKey],
        reconciler: Reconciler,
        leading: threading.Event,
        metrics: Metrics,
        number: int = 4,
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
        """Let every worker finish its look."""
        self._queue.close()
        for thread in self._threads:
            thread.join(timeout_seconds)

    def _work(self) -> None:
        while (key := self._queue.take()) is not None:
            try:
                self._look(key)
            finally:
                self._queue.done(key)

    def _look(self, key: RunKey) -> None:
        if not self._leading.is_set():
            self._queue.add(key, 1.0)
            return
        started = time.monotonic()
        result, after = self._outcome(key)
        self._metrics.reconciled(result, time.monotonic() - started)
        self._queue.add(key, after)

    def _outcome(self, key: RunKey) -> tuple[str, float]:
        """How the look ended, and seconds until the next one."""
        extra = {"run": f"{key.namespace}/{key.name}"}
        try:
            after = self._reconciler.look(key)
        except Conflict as error:
            logger.info("%s", error, extra=extra)
            return "conflict", 0.5
        except LccpError as error:
            logger.warning("%s", error, extra=extra)
            return "error", self._backoff(key)
        except Exception:
            logger.exception("the look failed", extra=extra)
            return "error", self._backoff(key)
        self._failures.pop(key, None)
        return "success", AT_REST_SECONDS if after is None else after

    def _backoff(self, key: RunKey) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
