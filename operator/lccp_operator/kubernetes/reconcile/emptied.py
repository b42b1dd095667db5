"""Prefixes that were emptied while nothing else of their runs changed.

A run at rest would learn of it only when its objects are next listed. One listing names the
prefixes of a namespace that hold anything. A server that keeps folders names emptied ones as well,
and a run.json may be gone alone: so some runs are asked for theirs each time, all of them in turn.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby

from lccp.contract.errors import LccpError
from lccp.facts.stored_runs import names_in
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_operator.kubernetes.reconcile.memory import Memories
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.seen import RunKey

LOOK_SECONDS = 15.0
NAMESPACES_A_SECOND = 10.0
"""Where runs lie in more namespaces than that, each is looked at more seldom."""

ASKED = 150
"""Runs that are asked for their run.json at a time: ten a second."""

Found = tuple[StoreHealth, RunKey]

logger = logging.getLogger(__name__)


class EmptiedPrefixes:
    """Calls `on_emptied` for runs whose store held them when they were last reconciled."""

    def __init__(
        self,
        memories: Memories,
        stores: Mapping[str, StoreHealth],
        on_emptied: Callable[[RunKey], None],
    ) -> None:
        self._memories = memories
        self._stores = stores
        self._on_emptied = on_emptied
        self._unasked: list[Found] = []
        """What is left of a round in which each run is asked once."""

    def follow(self, stop: threading.Event, leading: threading.Event) -> None:
        """Look again and again while this replica leads, until `stop`."""
        wait = LOOK_SECONDS
        while not stop.wait(wait):
            namespaces = self.look() if leading.is_set() else 0
            wait = max(LOOK_SECONDS, namespaces / NAMESPACES_A_SECOND)

    def look(self) -> int:
        """Look once; in how many namespaces. A store that does not answer is not empty."""
        namespaces, found = 0, list(self._found())
        for (health, namespace), runs in groupby(found, lambda run: (run[0], run[1].namespace)):
            keys = [key for _, key in runs]
            self._tell(health, partial(_unlisted, health.store, namespace, keys))
            namespaces += 1
        for health, key in self._next(found):
            self._tell(health, partial(_without_identity, health.store, key))
        return namespaces

    def _found(self) -> Iterator[Found]:
        for health in self._stores.values():
            for key in sorted(self._memories.found_in(health.store)):
                yield health, key

    def _next(self, found: list[Found]) -> list[Found]:
        """Those whose turn it is."""
        left = self._unasked or found
        self._unasked = left[ASKED:]
        return left[:ASKED]

    def _tell(self, health: StoreHealth, gone: Callable[[], list[RunKey]]) -> None:
        if health.outage is not None:
            return
        try:
            keys = gone()
        except LccpError as error:
            logger.warning("the check for emptied prefixes is postponed: %s", error)
            return
        for key in keys:
            self._on_emptied(key)


def _unlisted(store: Store, namespace: str, keys: list[RunKey]) -> list[RunKey]:
    names = names_in(store, namespace)
    return [key for key in keys if key.name not in names]


def _without_identity(store: Store, key: RunKey) -> list[RunKey]:
    return [] if store.stat(RunKeys(*key).identity) else [key]
