"""Unseen deletions: a run whose object is gone is marked as deleted in its store.

A leading operator records each deletion that it sees. An earlier deletion leaves only the run in a
store, whose series and alerts would last, and which `lccp run` may not use.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from lccp.api.objects.journal import Journal
from lccp.api.objects.run import RunIdentity
from lccp.contract.errors import InvalidInput, LccpError, NotFound
from lccp.facts.stored_runs import names_in
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.bodies import store_name
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.records import record_deletion

SWEEP_SECONDS = 3_600.0
RETRY_SECONDS = 30.0
TICK_SECONDS = 0.5
NAMESPACE = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")

Listed = Mapping[str | None, Mapping[RunKey, str]]
"""Run objects, with their stores, by scope: a namespace, or None for all of them."""

logger = logging.getLogger(__name__)


class UnseenDeletions:
    """Searches `stores` (by name) for runs of this installation that have no object.

    Runs of other installations and of unwatched namespaces are left alone; so are all runs if the
    installation has no id. `namespaces` are the watched ones; none: all of them. `on_found` is
    called with each run that it finds deleted.
    """

    def __init__(
        self,
        cluster: api.Cluster,
        ownership: Ownership,
        namespaces: tuple[str, ...],
        stores: Mapping[str, StoreHealth],
        on_found: Callable[[RunKey], None],
    ) -> None:
        self._cluster = cluster
        self._ownership = ownership
        self._namespaces = namespaces
        self._stores = stores
        self._on_found = on_found
        self._settled: set[tuple[str, RunKey]] = set()
        """Store and run where there is nothing to mark unless the run is applied again."""

    def follow(self, stop: threading.Event, leading: threading.Event) -> None:
        """Sweep as soon as this replica leads, then rarely, until `stop`."""
        due_at = 0.0
        while not stop.wait(TICK_SECONDS):
            if not leading.is_set():
                self._settled.clear()
                due_at = 0.0
            elif time.monotonic() >= due_at:
                due_at = time.monotonic() + (SWEEP_SECONDS if self.sweep() else RETRY_SECONDS)

    def sweep(self) -> bool:
        """Search all stores once; False if that was not possible for each of them.

        A namespace that may not be read is left out, and makes it False too.
        """
        try:
            owner = self._ownership.owner.id
            there = self._runs() if owner else {}
        except LccpError as error:
            logger.warning("the check for deleted runs is postponed: %s", error)
            return False
        self._settled -= {(store, key) for runs in there.values() for key, store in runs.items()}
        stores = self._stores if owner else ()
        missed = [name for name in stores if not self._looked_through(name, owner, there)]
        refused = owner and len(there) < len(self._namespaces)
        return not (missed or refused)

    def _runs(self) -> Listed:
        """The existing run objects. Raises as a call does: an incomplete list is of no use."""
        found: dict[str | None, dict[RunKey, str]] = {}
        for scope in self._namespaces or (None,):
            try:
                bodies = self._cluster.list(api.RUNS, scope)
            except api.Forbidden:
                if scope is None:
                    raise
            else:
                found[scope] = {_key(body["metadata"]): store_name(body) for body in bodies}
        return found

    def _looked_through(self, name: str, owner: str, listed: Listed) -> bool:
        health = self._stores[name]
        if health.outage is not None:
            return False
        there = {key: store for runs in listed.values() for key, store in runs.items()}
        try:
            for key in self._stored(health.store, listed.keys()):
                if there.get(key) == name or (name, key) in self._settled:
                    continue
                if not self._settle(health, key, owner):
                    return False
                self._settled.add((name, key))
        except LccpError as error:
            logger.warning("the check for deleted runs in store %s is postponed: %s", name, error)
            return False
        return True

    def _stored(self, store: Store, scopes: Collection[str | None]) -> Iterator[RunKey]:
        """The keys in these scopes under which the store may hold a run."""
        top = [name for name in scopes if name is not None]
        if None in scopes:
            top = [prefix.removesuffix("/") for prefix in store.level("").prefixes]
        for namespace in filter(NAMESPACE.fullmatch, top):
            for name in names_in(store, namespace):
                yield RunKey(namespace, name)

    def _settle(self, health: StoreHealth, key: RunKey, owner: str) -> bool:
        """Mark the run if its object is gone; False if the store can't be written now."""
        keys = RunKeys(*key)
        uid = _accepted_uid(health.store, keys, owner)
        if uid is None or self._exists(key, uid):
            return True
        logger.info("%s/%s: its object was deleted while no operator led", *key)
        self._on_found(key)
        guard = self._cluster.guard
        return health.tell(partial(record_deletion, keys=keys, run_uid=uid, guard=guard))

    def _exists(self, key: RunKey, uid: str) -> bool:
        """Requested once more: it may have been created since all of them were listed."""
        try:
            found: str = self._cluster.get(api.RUNS, *key)["metadata"]["uid"]
        except NotFound:
            return False
        return found == uid


def _key(meta: Object) -> RunKey:
    return RunKey(meta["namespace"], meta["name"])


def _accepted_uid(store: Store, keys: RunKeys, owner: str) -> str | None:
    """UID of the object of an unmarked run of `owner`; None for anything else.

    A link to the folder of another run, or a copy of it, tells nothing about that run's object.
    """
    try:
        found = objects.read_or_none(store, keys.identity, RunIdentity)
        told = (found.installation, found.namespace, found.name) if found is not None else None
        if told != (owner, keys.namespace, keys.name):
            return None
        journal = objects.read_or_none(store, keys.journal, Journal)
    except InvalidInput as error:
        logger.warning("the check whether its object was deleted is skipped: %s", error)
        return None
    accepted = journal.accepted if journal is not None else None
    return None if accepted is None or accepted.deleted_at is not None else accepted.run_uid
