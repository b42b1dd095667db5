"""Finds emptied prefixes, and lost run.json files, of runs in which nothing else changed.

For a run at rest these would be noticed only when its objects are next listed. A listing of all
prefixes does not suffice: it contains prefixes that lack only their run.json and, on a server that
keeps folders, emptied ones. So the run.json of every run is checked once in each round.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from lccp.contract.errors import LccpError
from lccp.store.keys import RunKeys
from lccp_operator.kubernetes.reconcile.memory import Memories
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.seen import RunKey

LOOK_SECONDS = 5.0
LOOKS = 5
"""Checks in a round. Each covers a share of the runs, which spreads the calls over the round."""
ROUND_SECONDS = LOOKS * LOOK_SECONDS

THREADS = 8
"""Simultaneous calls: with a store that answers in 30 ms, 6,000 runs take a whole round."""

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
        self._turns = cycle(range(LOOKS))

    def follow(self, stop: threading.Event, leading: threading.Event) -> None:
        """Look repeatedly while this replica leads, until `stop`."""
        took = 0.0
        while not stop.wait(max(0.0, LOOK_SECONDS - took)):
            started = time.monotonic()
            if leading.is_set():
                self.look()
            took = time.monotonic() - started

    def look(self) -> None:
        """Check the runs that are due. A store that does not answer does not count as empty."""
        turn = next(self._turns)
        due = [run for run in self._found() if hash(run[1]) % LOOKS == turn]
        with ThreadPoolExecutor(THREADS) as threads:
            for (_, key), gone in zip(due, threads.map(_is_gone, due), strict=True):
                if gone:
                    self._on_emptied(key)

    def _found(self) -> Iterator[tuple[StoreHealth, RunKey]]:
        for health in self._stores.values():
            for key in self._memories.found_in(health.store):
                yield health, key


def _is_gone(run: tuple[StoreHealth, RunKey]) -> bool:
    health, key = run
    if health.outage is not None:
        return False
    try:
        return health.store.stat(RunKeys(*key).identity) is None
    except LccpError as error:
        logger.warning("the check for emptied prefixes is postponed: %s", error)
        return False
