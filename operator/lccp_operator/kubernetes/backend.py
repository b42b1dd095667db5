"""Carrying out plans on a cluster: Jobs, Services, status, finalizer and events of a run."""

import logging

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import InvalidInput, NotFound
from lccp_operator.intents import Event
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.events import TIME_FORMAT, LateAnswers, address, post
from lccp_operator.kubernetes.workloads import jobs
from lccp_operator.kubernetes.workloads.asked import annotation
from lccp_operator.kubernetes.workloads.making import HeldBack, Making
from lccp_operator.kubernetes.workloads.reading import JOB_UID_LABEL, WorkloadReader
from lccp_operator.kubernetes.workloads.seen import RunKey, owner_uids
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import SavedState, Trouble
from lccp_operator.workloads.training import Training

FINALIZER = f"{labels.GROUP}/purge"

PRIORITY_BOOST = "kueue.x-k8s.io/priority-boost"
"""Annotation of a Workload: what Kueue adds to its priority if its gate PriorityBoost is on."""

logger = logging.getLogger(__name__)


class KubernetesWorkloads:
    """Jobs of one run. Remembers what the API server refused, for the next reconcile."""

    def __init__(
        self,
        cluster: api.Cluster,
        reader: WorkloadReader,
        late: LateAnswers,
        store: StoreConfig | None,
        installation: str = "",
    ) -> None:
        self._cluster = cluster
        self._making = Making(cluster)
        self._late = late
        self._reader = reader
        self._store = store
        self._installation = installation
        self.rejected: dict[Workload, Trouble] = {}

    def apply(self, run: LCCPRun, workload: Workload, pinned: Pinned) -> None:
        """Create the workload unless it exists; a refusal is kept in `rejected`."""
        if self._store is None:
            message = f"there is no store {run.spec.checkpoints.store_name!r}"
            self.rejected[workload] = Trouble(Reason.UNKNOWN_STORE, message)
            return
        try:
            if isinstance(workload, Training) and workload.attempt > 1:
                before = Training(workload.attempt - 1).name(run.metadata.name)
                self._making.check_ended(run, before)
            for kind, document in self._objects(run, workload, pinned, self._store):
                what = f"{document['kind']} {document['metadata']['name']}"
                with self._late.told(address(run), f"creation of {what}"):
                    there = self._making.make(run, kind, document)
                seen = self._reader.jobs if kind is api.JOBS else self._reader.services
                seen.upsert(there)
        except HeldBack as error:
            self.rejected[workload] = Trouble(Reason.HELD_BACK, str(error))
        except (InvalidInput, api.AdmissionUnavailable) as error:
            self.rejected[workload] = Trouble(api.reason_of(error), str(error))
        else:
            self.rejected.pop(workload, None)

    def delete(self, run: LCCPRun, workload: Workload, wait_for_pods: bool = True) -> None:
        """Delete the workload; its pods get their grace period."""
        namespace, name = run.metadata.namespace, workload.name(run.metadata.name)
        if workload.pods(run, Pinned()).count > 1:
            self._delete_service(run, jobs.service_name(name))
        job = self._reader.job(RunKey(namespace, run.metadata.name), name)
        if job is None:
            return
        if isinstance(workload, Training):
            _note_began(self._cluster, run)
        uid = job["metadata"]["uid"]
        with self._late.told(address(run), f"deletion of Job {name}"):
            left = self._cluster.delete(api.JOBS, namespace, name, uid, foreground=wait_for_pods)
        if left is None:
            self._reader.jobs.remove(job)
        else:
            self._reader.jobs.upsert(left)

    def tell_state(self, run: LCCPRun, workload: Workload, state: SavedState) -> None:
        """On the gang's Job; nothing if it is gone. A failure is logged, and tried again."""
        namespace, name = run.metadata.namespace, workload.name(run.metadata.name)
        try:
            self._reader.jobs.upsert(_tell_state(self._cluster, namespace, name, state))
        except NotFound:
            return
        except (api.Refused, api.ApiUnavailable) as error:
            logger.warning(
                "the annotation for the newest state was not written to Job %s: %s", name, error
            )

    def _delete_service(self, run: LCCPRun, name: str) -> None:
        """Delete the gang's Service; someone else's of the same name stays."""
        namespace = run.metadata.namespace
        try:
            found = self._cluster.get(api.SERVICES, namespace, name)
        except NotFound:
            return
        if run.metadata.uid in owner_uids(found):
            self._cluster.delete(api.SERVICES, namespace, name, found["metadata"]["uid"])

    def _objects(
        self, run: LCCPRun, workload: Workload, pinned: Pinned, store: StoreConfig
    ) -> list[tuple[api.Kind, Object]]:
        pods = workload.pods(run, pinned)
        service = jobs.service(run, workload, pods)
        job = jobs.job(run, workload, pods, store, pinned)
        installation = {labels.INSTALLATION: self._installation} if self._installation else {}
        job["metadata"]["annotations"] = annotation(job) | installation
        return [*([(api.SERVICES, service)] if service else []), (api.JOBS, job)]


def _note_began(cluster: api.Cluster, run: LCCPRun) -> None:
    """On the run object: status and prefix may be emptied, when no Job shows it any more."""
    began = run.status.start_time if run.status is not None else None
    if began is None:
        return
    uid, name = run.metadata.uid, run.metadata.name
    told = {labels.BEGAN: f"{uid} {began.strftime(TIME_FORMAT)}"}
    patch = {"metadata": {"uid": uid, "annotations": told}}
    try:
        cluster.patch(api.RUNS, run.metadata.namespace, name, patch)
    except NotFound:
        return
    except (api.Refused, api.AdmissionUnavailable) as error:
        logger.warning("the annotation %s was not written to the run: %s", labels.BEGAN, error)


def _tell_state(cluster: api.Cluster, namespace: str, name: str, state: SavedState) -> Object:
    """Annotate the gang's Job, which is returned, and its Workload in Kueue if there is a boost.

    Whether the state is old comes last: a failure before that is tried again. Raises NotFound if
    the Job is gone. The boost: https://github.com/kubernetes-sigs/kueue/tree/main/keps/7990-preemption-cost
    """
    known = {
        labels.LAST_STATE_AT: state.at.strftime(TIME_FORMAT),
        labels.LAST_STATE_TOKENS: str(state.tokens),
    }
    boost = {} if state.boost is None else {PRIORITY_BOOST: str(state.boost)}
    if boost:
        job = cluster.patch(api.JOBS, namespace, name, _annotated(known))
        for workload in _kueue_workloads(cluster, namespace, job["metadata"]["uid"]):
            found = workload["metadata"]["name"]
            cluster.patch(api.KUEUE_WORKLOADS, namespace, found, _annotated(boost))
    old = {labels.LAST_STATE_OLD: str(state.old).lower()}
    return cluster.patch(api.JOBS, namespace, name, _annotated(known | old | boost))


def _kueue_workloads(cluster: api.Cluster, namespace: str, uid: str) -> list[Object]:
    """Workloads of the Job; none in a cluster without Kueue."""
    selector = f"{JOB_UID_LABEL}={uid}"
    try:
        return cluster.list(api.KUEUE_WORKLOADS, namespace, labelSelector=selector)
    except NotFound:
        return []


def _annotated(told: dict[str, str]) -> Object:
    return {"metadata": {"annotations": told}}


class KubernetesRuns:
    """Run objects of a cluster, as a reconcile read one of them: at `version`.

    Overwriting another version raises Conflict, so that stale facts undo nothing.
    """

    def __init__(self, cluster: api.Cluster, version: str, late: LateAnswers) -> None:
        self._cluster, self._late = cluster, late
        self.version = version
        self.written: Object | None = None
        """The run object as its status was last written."""
        self.posted = True
        """The API server has taken every event. After one that it refused none is tried."""

    def write_status(self, run: LCCPRun, status: LCCPRunStatus) -> None:
        self.write(address(run), status)

    def write(self, where: Object, status: LCCPRunStatus) -> None:
        """Server-side apply of a status: fields that are no longer set are removed."""
        self.write_as_it_is(where, status.document())

    def write_as_it_is(self, where: Object, status: Object) -> None:
        """The same for a status that another version may have written."""
        named = {"namespace": where["namespace"], "name": where["name"]}
        document = {
            "apiVersion": labels.API_VERSION,
            "kind": labels.KIND,
            "metadata": named | {"resourceVersion": self.version},
            "status": status,
        }
        with self._late.told(where, "change of the run's status"):
            self.written = self._cluster.apply(api.RUNS, document, "status")
        self.version = self.written["metadata"]["resourceVersion"]

    def post(self, run: LCCPRun, event: Event) -> None:
        """Record the event and log it, unless it was posted before; a failure is only logged."""
        self.tell(address(run), event)

    def tell(self, where: Object, event: Event) -> None:
        """The same for a run object by its namespace, name and UID."""
        self.posted = self.posted and post(self._cluster, where, event)

    def set_finalizer(self, run: LCCPRun, present: bool) -> None:
        """Add or remove LCCP's finalizer, leaving those of others."""
        namespace, name = run.metadata.namespace, run.metadata.name
        try:
            meta = self._cluster.get(api.RUNS, namespace, name)["metadata"]
            others = [f for f in meta.get("finalizers", ()) if f != FINALIZER]
            finalizers = [*others, FINALIZER] if present else others
            patch = {"finalizers": finalizers, "resourceVersion": meta["resourceVersion"]}
            with self._late.told(address(run), "change of the run's finalizers"):
                patched = self._cluster.patch(api.RUNS, namespace, name, {"metadata": patch})
        except NotFound:
            return
        if meta["resourceVersion"] == self.version:
            self.version = patched["metadata"]["resourceVersion"]

    def end_reevaluation(self, run: LCCPRun, asked: str) -> None:
        """Remove the annotation: a change of the object, which leads to the next reconcile."""
        namespace, name = run.metadata.namespace, run.metadata.name
        meta = self._cluster.get(api.RUNS, namespace, name)["metadata"]
        if meta.get("annotations", {}).get(labels.REEVALUATE) != asked:
            return
        patch = {
            "annotations": {labels.REEVALUATE: None},
            "resourceVersion": meta["resourceVersion"],
        }
        with self._late.told(address(run), f"removal of {labels.REEVALUATE}"):
            self._cluster.patch(api.RUNS, namespace, name, {"metadata": patch})

    def delete(self, run: LCCPRun) -> None:
        where = address(run)
        with self._late.told(where, "deletion of the run"):
            self._cluster.delete(api.RUNS, where["namespace"], where["name"], where["uid"])
