"""An informer: the objects of one kind that belong to runs, listed once, then watched.

Reading it costs no call. It never lags behind this process's own writes (`upsert`, `remove`), and
it reports a lost connection to the API server, so that nothing stale is taken for current.
"""

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from lccp.api import labels
from lccp.contract.errors import LccpError
from lccp_operator.kubernetes.api import ApiUnavailable, Cluster, Forbidden, Gone, Kind
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.kept import kept, key_of, same, version_of
from lccp_operator.kubernetes.workloads.seen import RunKey

PATIENCE_SECONDS = 15.0
"""How long the API server may be silent before cached objects no longer count as known."""

GONE_REMEMBERED = 1_000
"""Number of deleted objects that late news can't bring back: a call's answer may be late."""

RETRY_SECONDS = 1.0

EVERYWHERE = "*"
"""In place of a namespace: all of them are read at once."""

logger = logging.getLogger(__name__)


class Informer:
    """The objects of `kind` that carry a run's label, in `namespaces` (none: in all of them).

    `on_change` is called with the run whose objects changed, except for this process's own changes.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespaces: Iterable[str],
        on_change: Callable[[RunKey], None],
    ) -> None:
        self._cluster = cluster
        self._kind = kind
        self._on_change = on_change
        self._lock = threading.Lock()
        self._objects: dict[RunKey, dict[str, Object]] = defaultdict(dict)
        self._runs: dict[str, RunKey] = {}
        """The run of each object, by the object's UID."""
        self._gone: dict[str, float] = {}
        """Version at which an object was deleted, by UID, oldest first."""
        self._scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._lost_at = dict.fromkeys(self._scopes, -math.inf)
        """When it lost the connection, by scope; absent while connected."""
        self._refusals: dict[str | None, str] = {}
        """Why the API server refuses a scope, in a sentence."""
        self._told: dict[str | None, str] = {}
        """What is wrong with a scope, as the log says already."""
        self._newest = 0
        """Newest version that was seen, of an object, a deletion or a bookmark."""
        self.restored = False
        """The API server went back to an older version: its etcd was restored from a snapshot."""

    def start(self, stop: threading.Event) -> None:
        """Start following, in threads that end with the process."""
        for scope in self._scopes:
            name, given = f"informer-{self._kind.plural}-{scope or 'all'}", (scope, stop)
            threading.Thread(target=self._follow, args=given, name=name, daemon=True).start()

    @property
    def synced(self) -> bool:
        """It was connected a moment ago in every scope, but for those that are refused: not all."""
        scopes = [scope for scope in self._scopes if scope not in self._refusals]
        return bool(scopes) and all(map(self._connected, scopes))

    @property
    def refusals(self) -> dict[str, str]:
        """Why it may not read a namespace, in a sentence, by namespace, or by EVERYWHERE."""
        return {scope or EVERYWHERE: why for scope, why in self._refusals.copy().items()}

    def knows(self, namespace: str) -> bool:
        """It was connected a moment ago in the scope of `namespace`."""
        return self._connected(None if None in self._scopes else namespace)

    def _connected(self, scope: str | None) -> bool:
        return time.monotonic() - self._lost_at.get(scope, math.inf) < PATIENCE_SECONDS

    def of(self, key: RunKey) -> list[Object]:
        """The run's objects. Raises ApiUnavailable if it has lost the connection."""
        if not self.knows(key.namespace):
            raise ApiUnavailable(f"the API server does not report {self._kind.plural}")
        with self._lock:
            return list(self._objects.get(key, {}).values())

    def in_namespace(self, namespace: str) -> list[Object]:
        """The objects of all runs of a namespace."""
        with self._lock:
            found = [own for key, own in self._objects.items() if key.namespace == namespace]
            return [document for own in found for document in own.values()]

    def upsert(self, document: Object) -> bool:
        """Store an object as the API server returned it; whether any kept part of it changed.

        Not one that has just lost its label: the watch reports that.
        """
        labelled = labels.RUN in document["metadata"].get("labels", {})
        return labelled and bool(self._put(document))

    def _put(self, document: Object) -> set[RunKey]:
        """Store an object; the runs that see a change: two, if its label now names another run."""
        own, key = kept(document), key_of(document)
        uid, name = own["metadata"]["uid"], own["metadata"]["name"]
        with self._lock:
            self._newest = max(self._newest, version_of(own))
            if version_of(own) <= self._gone.get(uid, -1):
                return set()
            before = self._runs.get(uid, key)
            known = self._objects.get(before, {}).get(name)
            if known is not None and version_of(known) >= version_of(own):
                return set()
            if known is not None:
                self._drop(before, name)
            self._objects[key][name], self._runs[uid] = own, key
            return set() if known is not None and same(known, own) else {before, key}

    def remove(self, document: Object, version: float = math.inf) -> bool:
        """The object is gone as of `version`; whether that is a change."""
        key, meta = key_of(document), document["metadata"]
        with self._lock:
            self._note_gone(meta["uid"], version)
            known = self._objects.get(key, {}).get(meta["name"])
            if known is None or known["metadata"]["uid"] != meta["uid"]:
                return False
            self._drop(key, meta["name"])
            return True

    def _drop(self, key: RunKey, name: str) -> None:
        del self._runs[self._objects[key].pop(name)["metadata"]["uid"]]
        if not self._objects[key]:
            del self._objects[key]

    def _note_gone(self, uid: str, version: float) -> None:
        self._gone[uid] = version
        if len(self._gone) > GONE_REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _follow(self, scope: str | None, stop: threading.Event) -> None:
        version: str | None = None
        while not stop.is_set():
            try:
                version = self._watched(scope, version or self._listed(scope))
                self._told.pop(scope, None)
                if self._cluster.version(self._kind, scope) < int(version):
                    version = None
            except Gone:
                version = None
            except Exception as error:
                version = None
                self._note_lost(scope, error)
                stop.wait(RETRY_SECONDS)

    def _note_lost(self, scope: str | None, error: Exception) -> None:
        self._lost_at.setdefault(scope, time.monotonic())
        if self._told.get(scope) != str(error):
            logger.warning("%s", error, exc_info=not isinstance(error, LccpError))
        self._told[scope] = str(error)
        if isinstance(error, Forbidden):
            self._refusals[scope] = str(error)

    def _listed(self, scope: str | None) -> str:
        """Replace the whole cache, of a restored API server entirely; returns the version read."""
        before = self._newest
        found, version = self._cluster.listing(self._kind, scope, labelSelector=labels.RUN)
        fresh: dict[RunKey, dict[str, Object]] = defaultdict(dict)
        for document in found:
            fresh[key_of(document)][document["metadata"]["name"]] = kept(document)
        with self._lock:
            old = {k: v for k, v in self._objects.items() if scope in (None, k.namespace)}
            for key in old:
                del self._objects[key]
            self._objects.update(fresh)
            if restored := int(version) < before:
                self._gone.clear()
                self.restored = True
            known = () if restored else old.values()
            newer = (d for named in known for d in named.values() if version_of(d) > int(version))
            for written in newer:
                self._objects[key_of(written)].setdefault(written["metadata"]["name"], written)
            self._newest = int(version) if restored else max(self._newest, int(version))
            self._runs = {
                document["metadata"]["uid"]: key
                for key, named in self._objects.items()
                for document in named.values()
            }
        self._lost_at.pop(scope, None)
        self._refusals.pop(scope, None)
        for key in old.keys() | fresh.keys():
            if old.get(key) != fresh.get(key):
                self._on_change(key)
        return version

    def _watched(self, scope: str | None, version: str) -> str:
        """Follow the changes since `version`; returns the version at which the watch ended."""
        for event in self._cluster.watch(self._kind, scope, version, labelSelector=labels.RUN):
            document = event["object"]
            version = document["metadata"]["resourceVersion"]
            with self._lock:
                self._newest = max(self._newest, int(version))
            if event["type"] != "BOOKMARK":
                for key in self._followed(document, event["type"], int(version)):
                    self._on_change(key)
        return version

    def _followed(self, document: Object, event: str, version: int) -> set[RunKey]:
        """Store what the watch reports; the runs that see a change."""
        if event == "DELETED":
            return {key_of(document)} if self.remove(document, version) else set()
        return self._put(document)
