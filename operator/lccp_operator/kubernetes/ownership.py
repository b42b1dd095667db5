"""Identity of this installation, and its mark in the stores where it begins runs.

The identity is its release, and the namespace of the release. The UID of that namespace
distinguishes it from one of the same name on another cluster, and stays when the release is
uninstalled and installed again.
"""

import threading
from collections.abc import Mapping
from functools import cached_property

from lccp.api.labels import MARKED
from lccp.api.objects.run import StoreMark
from lccp.api.run import LCCPRun
from lccp.contract.errors import NotFound
from lccp.store import objects
from lccp.store.port import Store
from lccp_operator.facts import Facts
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.installation import Installation, LeaseSettings
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.observed import Known, Owner, Unknown

UID_LENGTH = 8


class Ownership:
    """The owner of all runs that `installation` carries out."""

    def __init__(self, cluster: api.Cluster, installation: Installation) -> None:
        self._cluster = cluster
        self._installation = installation

    @cached_property
    def owner(self) -> Owner:
        """Requested once. Raises ApiUnavailable, Forbidden."""
        release = self._installation.release
        if release is None:
            return Owner(adopts=frozenset(self._installation.adopt_from))
        uid = self._cluster.get(api.NAMESPACES, None, release.namespace)["metadata"]["uid"]
        own = f"{release.namespace}/{release.name}@{uid[:UID_LENGTH]}"
        return Owner(own, frozenset(self._installation.adopt_from))


class StoreMarks:
    """Marks a store before the first run begins in it, and notes in the Lease where that was.

    What a run has in a store shows whether it began there. For a run that has yet to begin, the
    mark does: where it is missing, the URL leads to another place, or the store was emptied. It is
    looked for before each run begins, since either may happen while the operator runs.
    """

    def __init__(
        self, cluster: api.Cluster, ownership: Ownership, lease: LeaseSettings | None
    ) -> None:
        self._cluster = cluster
        self._ownership = ownership
        self._lease = lease
        self._found: set[str] = set()
        """Names of stores whose mark is noted in the Lease."""
        self._one_at_a_time = threading.Lock()

    def missing(
        self, run: LCCPRun, facts: Known[Facts] | Unknown, stores: Mapping[str, StoreHealth]
    ) -> str | None:
        """Why `run` may not begin in its store; None: it may, or it began, or it is being deleted.

        Raises Conflict, ApiUnavailable, StoreUnavailable: try again; InvalidInput if the store or
        the API server refuses.
        """
        begun = run.status is not None and run.status.start_time is not None
        goes = run.metadata.deletion_timestamp is not None
        if begun or goes or isinstance(facts, Unknown) or facts.value.identity is not None:
            return None
        if self._lease is None or not self._ownership.owner.id:
            return None
        name = run.spec.checkpoints.store_name
        mark, store = StoreMark(installation=self._ownership.owner.id), stores[name].store
        if name in self._found and store.stat(mark.key) is not None:
            return None
        with self._one_at_a_time:
            why = self._looked_for(name, mark, store, self._lease)
            if why is None:
                self._found.add(name)
            return why

    def _looked_for(
        self, name: str, mark: StoreMark, store: Store, lease: LeaseSettings
    ) -> str | None:
        document = self._read(lease)
        noted = document["metadata"].get("annotations", {}).get(f"{MARKED}{name}")
        if store.stat(mark.key) is None:
            if noted is not None:
                return _without_mark(name, store.url, mark.key, noted, lease)
            self._cluster.guard()
            objects.write(store, mark.key, mark)
        if noted != store.url:
            document["metadata"].setdefault("annotations", {})[f"{MARKED}{name}"] = store.url
            self._cluster.replace(api.LEASES, document)
        return None

    def _read(self, lease: LeaseSettings) -> Object:
        try:
            return self._cluster.get(api.LEASES, lease.namespace, lease.name)
        except NotFound:
            raise api.ApiUnavailable(f"lease {lease.name} is gone: it is made again") from None


def _without_mark(name: str, url: str, key: str, noted: str, lease: LeaseSettings) -> str:
    began = "has begun runs in it" if noted == url else f"began its runs in {noted}"
    return (
        f"store {name}: {url} has no {key}, though this installation {began}: nothing is started; "
        "correct the store's url in the installation, or restore its objects; to begin in this "
        f"place, kubectl annotate lease {lease.name} --namespace {lease.namespace} {MARKED}{name}-"
    )
