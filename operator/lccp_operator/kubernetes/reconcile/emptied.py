"""Prefixes that were emptied while nothing else of their runs changed.

For a run at rest that would show only when its objects are next listed. One listing names the
non-empty prefixes of a namespace. But a server that keeps folders names emptied ones as well, and
sometimes only a run.json is gone. So each time the run.json of some runs is checked, all in turn.
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
"""With runs in more namespaces than that, each is checked less often."""

ASKED = 150
"""Runs whose run.json is checked at a time: ten a second."""

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
        """The rest of a round in which each run is checked once."""

    def follow(self, stop: threading.Event, leading: threading.Event) -> None:
        """Look repeatedly while this replica leads, until `stop`."""
        wait = LOOK_SECONDS
        while not stop.wait(wait):
            namespaces = self.look() if leading.is_set() else 0
            wait = max(LOOK_SECONDS, namespaces / NAMESPACES_A_SECOND)

    def look(self) -> int:
        """Look once; returns in how many namespaces. A silent store does not count as empty."""
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
        """The runs whose turn it is."""
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
