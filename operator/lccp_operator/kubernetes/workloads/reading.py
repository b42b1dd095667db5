"""Reading a run's workloads: Jobs and pods from informers, why they wait from the API server."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from lccp.api import labels
from lccp.api.run import LCCPRun
from lccp.contract.errors import LccpError, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.informer import Informer
from lccp_operator.kubernetes.workloads.seen import RunKey, Seen, owner_uids
from lccp_operator.kubernetes.workloads.states import states
from lccp_operator.kubernetes.workloads.troubles import is_pending, of_status
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import WorkloadState

JOB_UID_LABEL = "kueue.x-k8s.io/job-uid"
WAITING = timedelta(seconds=5)
"""How long a workload may not run before its events are asked why."""


class EarlierWorkloads(LccpError):
    """Workloads of a deleted run object of the same name have not ended yet."""


class WorkloadReader:
    """What the API server tells of the workloads of runs."""

    def __init__(self, cluster: api.Cluster, jobs: Informer, pods: Informer) -> None:
        self._cluster = cluster
        self.jobs = jobs
        self.pods = pods

    def read(self, run: LCCPRun, now: datetime) -> dict[Workload, WorkloadState]:
        """The workloads.

        Raises:
            ApiUnavailable: they are not known.
            EarlierWorkloads: others, with the same names, are still there.
        """
        key = RunKey(run.metadata.namespace, run.metadata.name)
        jobs = self.jobs.of(key)
        own = tuple(job for job in jobs if run.metadata.uid in owner_uids(job))
        _check_others(run, jobs)
        pods = tuple(self.pods.of(key)) if own else ()
        waiting = [silent for silent in unexplained(own, pods) if _age(silent, now) > WAITING]
        held = [job for job in own if job["spec"].get("suspend")]
        seen = Seen(
            own,
            pods,
            self._events(key, waiting),
            self._workloads(key, held),
            tuple(self.jobs.in_namespace(key.namespace)) if held else (),
        )
        return states(seen, now)

    def job(self, key: RunKey, name: str) -> Object | None:
        """The run's Job of that name."""
        return next((job for job in self.jobs.of(key) if job["metadata"]["name"] == name), None)

    def _events(self, key: RunKey, waiting: list[Object]) -> tuple[Object, ...]:
        selectors = (f"involvedObject.uid={waits['metadata']['uid']}" for waits in waiting)
        return tuple(
            event
            for selector in selectors
            for event in self._cluster.list(api.EVENTS, key.namespace, fieldSelector=selector)
        )

    def _workloads(self, key: RunKey, held: list[Object]) -> tuple[Object, ...]:
        if not held:
            return ()
        uids = ",".join(job["metadata"]["uid"] for job in held)
        selector = f"{JOB_UID_LABEL} in ({uids})"
        try:
            found = self._cluster.list(api.KUEUE_WORKLOADS, key.namespace, labelSelector=selector)
        except NotFound:
            return ()
        return tuple(found)


def _check_others(run: LCCPRun, jobs: list[Object]) -> None:
    for job in jobs:
        owners = job["metadata"].get("ownerReferences", ())
        if any(o["kind"] == labels.KIND and o["uid"] != run.metadata.uid for o in owners):
            raise EarlierWorkloads(
                f"Job {job['metadata']['name']} of the deleted run of this name has not ended yet: "
                "nothing is started before it has"
            )


def unexplained(jobs: Iterable[Object], pods: Iterable[Object]) -> Iterator[Object]:
    """Objects whose events alone may say why nothing runs, at most one of each Job under way.

    It is the Job itself, while it has no pods, or one of its pods that are pending and do not say
    why: the pods of a gang are alike, and the API server reads all events of a namespace for each
    object that it is asked about.
    """
    for job in jobs:
        uid = job["metadata"]["uid"]
        if any(c["status"] == "True" for c in job["status"].get("conditions", ())):
            continue
        own = [pod for pod in pods if uid in owner_uids(pod)]
        silent = (pod for pod in own if is_pending(pod) and not any(of_status(pod["status"])))
        waits = next(silent, None) if own else job
        if waits is not None:
            yield waits


def _age(document: Object, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(document["metadata"]["creationTimestamp"]).astimezone(UTC)
