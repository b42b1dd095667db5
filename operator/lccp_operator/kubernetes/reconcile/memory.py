"""What a process keeps of a run between two reconciles."""

from dataclasses import dataclass
from datetime import datetime

from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns, KubernetesWorkloads
from lccp_operator.kubernetes.reconcile.resync import Resync
from lccp_operator.observe import StoreObserver


@dataclass
class Memory:
    """Of one run object; all of it can be lost."""

    uid: str
    store: str
    """Name of its store."""
    workloads: KubernetesWorkloads
    observer: StoreObserver
    workloads_unknown_since: datetime | None = None
    runs: KubernetesRuns | None = None
    """Of the last reconcile: it knows the version of the run object that this process wrote."""
    resync: Resync | None = None
    events_posted: bool = False
    """The last plan was carried out to its end, so that its events are posted."""

    def wrote(self, body: Object) -> bool:
        """The run object is as the last reconcile left it."""
        return self.runs is not None and self.runs.version == body["metadata"]["resourceVersion"]

    def is_unchanged(self) -> bool:
        """No resync is due, and its part of the store that may change by itself did not."""
        if self.resync is None or self.resync.is_due:
            return False
        return not self.observer.moved(self.resync.is_idle)
