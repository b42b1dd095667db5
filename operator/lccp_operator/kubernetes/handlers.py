"""Kopf watches the runs and feeds the queue: every change of a run is a reason to reconcile it.

Only a low-level event handler is used, so that Kopf stores nothing in the objects. It begins once
the API server serves runs: Kopf looks for its resources when it starts and, at most, when a CRD
changes, which may be before the API server lists them; it then misses them for good.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from itertools import chain, repeat
from typing import Any

import kopf

from lccp.api import labels
from lccp.contract.errors import LccpError, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import RunKey

SERVED_SECONDS = 2.0
"""Between two looks whether the API server serves runs."""

WATCH_SECONDS = 15
"""After which the API server ends a watch, and another one begins where it ended: one request."""
DEAD_SECONDS = 5
"""After which one that should have ended is given up: its connection is dead."""
NEVER_SECONDS = 86_400.0
"""Kopf's limit for silence stays out of use: it may cancel the task that takes the events, while
that hands one on; nobody would notice."""

PAUSES_SECONDS = (1, 1, 2, 3, 5)
"""Before each further try of a request that fails or is refused; then the last one, for ever."""

UNSERVED = "the API server does not serve LCCPRuns: apply the chart's crds/lccpruns.lccp.io.yaml"

logger = logging.getLogger(__name__)


class _ForEver:
    """Kopf gives up after so many tries as there are pauses, and the whole process ends with it.

    Of several namespaces, one may refuse: because it was deleted, or a Role in it.
    """

    def __iter__(self) -> Iterator[int]:
        return chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1]))


class _NothingStored(kopf.DiffBaseStorage):
    """No last-handled state: no handler needs it, and building it costs as much as a reconcile."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Never called: only handlers of changes store one."""


def registry(
    on_change: Callable[[RunKey, Object | None], None], on_end: Callable[[], None]
) -> kopf.OperatorRegistry:
    """Handlers that call `on_change` with the key and object of a run, None once it is gone.

    They call `on_end` once Kopf stops watching, also if it does so by itself: a thread of Kopf's,
    which waits for its stop flag, would keep it from returning.
    """
    handlers = kopf.OperatorRegistry()

    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.startup(registry=handlers)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.finalizer = f"{labels.GROUP}/kopf"
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=labels.GROUP)
        settings.persistence.diffbase_storage = _NothingStored()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.networking.error_backoffs = _ForEver()
        settings.watching.server_timeout = WATCH_SECONDS
        settings.watching.client_timeout = WATCH_SECONDS + DEAD_SECONDS
        settings.watching.inactivity_timeout = NEVER_SECONDS

    @kopf.on.cleanup(registry=handlers)
    async def ended(**_: Any) -> None:
        on_end()

    @kopf.on.event(labels.GROUP, labels.VERSION, labels.PLURAL, registry=handlers)
    async def run_changed(
        namespace: str | None, name: str | None, event: kopf.RawEvent, **_: Any
    ) -> None:
        gone = event["type"] == "DELETED"
        on_change(RunKey(namespace or "", name or ""), None if gone else dict(event["object"]))

    return handlers


class RunWatch:
    """Calls `on_change` with the key and object of each run in `namespaces` (none: in all)."""

    def __init__(
        self,
        cluster: api.Cluster,
        namespaces: Collection[str],
        on_change: Callable[[RunKey, Object | None], None],
    ) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._on_change = on_change
        self._asked = False
        self._ended = threading.Event()
        self.lacks: str = UNSERVED
        """Why runs are not watched yet, in a sentence; empty once they are."""

    def follow(self) -> None:
        """Watch until `stop`. If Kopf ends by itself, as when the CRD goes, so does the process."""
        if not self._wait_served():
            return
        try:
            kopf.run(
                registry=registry(self._on_change, self._ended.set),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._ended,
            )
        except Exception:
            logger.exception("Kopf ended")
        if not self._asked:
            logger.error("the watch ended: the process exits, and is restarted")
            os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        self._asked = True
        self._ended.set()

    def _wait_served(self) -> bool:
        """Wait until runs are served; False if `stop` was called before."""
        told = ""
        while lacks := self._lacking():
            if lacks != told:
                logger.error("%s", lacks)
            told = self.lacks = lacks
            if self._ended.wait(SERVED_SECONDS):
                return False
        self.lacks = ""
        return True

    def _lacking(self) -> str:
        """What is wrong, by the lists that Kopf reads; nothing if these may not be read."""
        try:
            groups = self._cluster.call("GET", "/apis")["groups"]
            found = self._cluster.call("GET", f"/apis/{labels.API_VERSION}")["resources"]
        except NotFound:
            return UNSERVED
        except api.ApiUnavailable as error:
            return str(error)
        except LccpError:
            return ""
        named = {one["name"] for one in (*groups, *found)}
        return "" if {labels.GROUP, labels.PLURAL} <= named else UNSERVED
