"""Leader election by a Lease: one replica writes, another takes over when it falls silent."""

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from lccp.contract.errors import Conflict, LccpError, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.installation import LEASE_SECONDS_MAX, LeaseSettings

SAFETY = 0.8
"""Share of the duration after which a leader that could not renew no longer writes."""

TRANSITIONS_MAX = 2**31 - 1
"""Of a field of the Lease that the API server reads as an int32: somebody may have edited it."""

LONG_OVER = timedelta(seconds=15)
"""How long a Lease has been over by the API server's clock, which is known less exactly than that,
before nobody waits to see its holder silent."""

logger = logging.getLogger(__name__)


def candidate(cluster: api.Cluster, settings: LeaseSettings | None) -> "Leadership | None":
    """This process, if replicas elect a leader at all."""
    if settings is None:
        return None
    return Leadership(cluster, settings, f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}")


class NotLeading(Conflict):
    """This process may no longer write."""


class Leadership:
    """Holds the Lease, or waits for it. `guard` is the leader's permission to write.

    Another holder's silence is measured by this process's clock, as in client-go, so that clocks of
    nodes need not agree; unless the API server dates its last renewal long before that.
    """

    def __init__(
        self,
        cluster: api.Cluster,
        settings: LeaseSettings,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._renewed_at: float | None = None
        self._seen: tuple[str | None, float] = (None, clock())
        self.leading = threading.Event()
        self.problem = ""
        """Why the Lease can be neither taken nor renewed, in a sentence; empty if it can."""

    def guard(self) -> None:
        """Raises NotLeading if this process may no longer write."""
        if not self._fresh():
            self.leading.clear()
            raise NotLeading("this replica no longer leads: another one takes over")

    def run(self, stop: threading.Event) -> None:
        """Try for the Lease and renew it until `stop`; then give it up."""
        while not stop.is_set():
            try:
                self.renew()
                self.problem = ""
            except Conflict as error:
                logger.warning("lease %s: %s", self._settings.name, error)
            except LccpError as error:
                self.problem = f"lease {self._settings.name}: {error}"
                logger.warning("%s", self.problem)
            if self._fresh():
                self.leading.set()
            else:
                self.leading.clear()
            stop.wait(self._settings.renew_seconds)
        self._release()

    def _fresh(self) -> bool:
        limit = SAFETY * self._settings.duration_seconds
        return self._renewed_at is not None and self._clock() - self._renewed_at < limit

    def renew(self) -> None:
        """Take the Lease or renew it, unless another one holds it. Raises as a call does."""
        asked_at = self._clock()
        try:
            lease = self._cluster.get(api.LEASES, self._settings.namespace, self._settings.name)
        except NotFound:
            self._cluster.create(api.LEASES, self._document({}))
            self._renewed_at = asked_at
            return
        if not self._may_take(lease):
            self._renewed_at = None
            return
        self._cluster.replace(api.LEASES, self._document(lease))
        self._renewed_at = asked_at

    def _may_take(self, lease: Object) -> bool:
        spec = lease.get("spec", {})
        holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
        if not holder or holder == self._identity:
            return True
        if renewed != self._seen[0]:
            self._seen = (renewed, self._clock())
        silent = self._clock() - self._seen[1]
        allowed = min(float(spec.get("leaseDurationSeconds", 0)), LEASE_SECONDS_MAX)
        if self._settings.duration_seconds < silent <= allowed:
            told = "lease %s: %s holds it, and has not renewed it for %.0f s: waiting up to %.0f s"
            logger.warning(told, self._settings.name, holder, silent, allowed)
        return silent > allowed or self._is_long_over(lease, allowed)

    def _is_long_over(self, lease: Object, allowed: float) -> bool:
        """Both times are the API server's: of its last change, and that of now."""
        dated = [one["time"] for one in lease["metadata"].get("managedFields", ()) if "time" in one]
        if not dated:
            return False
        now, changed = self._cluster.server_time(datetime.now(UTC)), max(dated)
        return now - datetime.fromisoformat(changed) > timedelta(seconds=allowed) + LONG_OVER

    def _document(self, lease: Object) -> Object:
        spec = lease.get("spec", {})
        same = spec.get("holderIdentity") == self._identity
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._settings.duration_seconds,
            "renewTime": now,
            "acquireTime": spec.get("acquireTime", now) if same else now,
            "leaseTransitions": min(spec.get("leaseTransitions", 0) + (not same), TRANSITIONS_MAX),
        }
        where = {"name": self._settings.name, "namespace": self._settings.namespace}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": lease.get("metadata", where),
            "spec": mine,
        }

    def _release(self) -> None:
        """Hand the Lease over at once, if it is ours."""
        if not self._fresh():
            return
        self._renewed_at = None
        try:
            lease = self._cluster.get(api.LEASES, self._settings.namespace, self._settings.name)
            if lease.get("spec", {}).get("holderIdentity") == self._identity:
                lease["spec"]["holderIdentity"] = ""
                self._cluster.replace(api.LEASES, lease)
        except LccpError as error:
            logger.warning("lease %s was not released: %s", self._settings.name, error)
