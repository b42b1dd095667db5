"""Reading a run's workloads: Jobs and pods from informers, reasons to wait from events."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from lccp.api import labels
from lccp.api.run import LCCPRun
from lccp.contract.errors import LccpError, NotFound
from lccp_operator.hearing import Hearing
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.endings import kubelet_times
from lccp_operator.kubernetes.workloads.informer import Informer
from lccp_operator.kubernetes.workloads.jobs import selects, service_name
from lccp_operator.kubernetes.workloads.naming import named
from lccp_operator.kubernetes.workloads.seen import KubeletTime, RunKey, Seen, owner_uids
from lccp_operator.kubernetes.workloads.states import states
from lccp_operator.kubernetes.workloads.troubles.pod import has_ended, is_explained, is_pending
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import WorkloadState

JOB_UID_LABEL = "kueue.x-k8s.io/job-uid"
WAITING = timedelta(seconds=5)
"""How long a workload may not run before its events are read for the reason."""

WARNINGS = "type=Warning,reason!=BackOff,reason!=FailedScheduling,reason!=Unhealthy"
"""Events of a namespace, without the most frequent ones: pods' statuses say the same."""

ENDS = {"Complete", "Failed"}


class EarlierWorkloads(LccpError):
    """Workloads of an earlier run object of the same name have not ended yet."""


class WorkloadReader:
    """Reads the workloads of runs from the API server."""

    def __init__(
        self, cluster: api.Cluster, jobs: Informer, pods: Informer, services: Informer
    ) -> None:
        self._cluster = cluster
        self.jobs = jobs
        self.pods = pods
        self.services = services

    def read(
        self, run: LCCPRun, now: datetime, hearing: Hearing[KubeletTime]
    ) -> dict[Workload, WorkloadState]:
        """The workloads. `hearing` knows what was read of this run before.

        Raises:
            ApiUnavailable: they are unknown.
            EarlierWorkloads: others with the same names still exist.
            InvalidInput: somebody changed their labels.
        """
        key = RunKey(run.metadata.namespace, run.metadata.name)
        jobs = self.jobs.of(key)
        own = tuple(job for job in jobs if run.metadata.uid in owner_uids(job))
        pods = tuple(self.pods.of(key))
        _check_others(run, jobs, pods)
        workloads = named(own, run.metadata.name)
        waiting = [silent for silent in unexplained(own, pods) if _age(silent, now) > WAITING]
        held = [job for job in own if job["spec"].get("suspend")]
        heard = hearing.heard(kubelet_times(pods), now)
        seen = Seen(
            workloads,
            pods,
            self._events(key, waiting),
            self._workloads(key, held),
            tuple(self.jobs.in_namespace(key.namespace)) if held else (),
            frozenset(self._service_names(key, run.metadata.uid, workloads)),
            {time: one.at for time, one in heard.items()},
        )
        return states(seen, now)

    def made_by(self, key: RunKey, uid: str) -> str | None:
        """Installation that made the newest Job of the run object; None: no Job names one."""
        if not self.jobs.knows(key.namespace):
            return None
        return maker(job for job in self.jobs.of(key) if uid in owner_uids(job))

    def job(self, key: RunKey, name: str) -> Object | None:
        """The run's Job of that name."""
        return next((job for job in self.jobs.of(key) if job["metadata"]["name"] == name), None)

    def _service_names(
        self, key: RunKey, uid: str, workloads: Mapping[Workload, Object]
    ) -> Iterator[str]:
        """Those of its gangs, unless somebody edited what they select."""
        own = {one["metadata"]["name"]: one for one in self.services.of(key)}
        for workload, job in workloads.items():
            name = service_name(job["metadata"]["name"])
            if name in own and uid in owner_uids(own[name]) and selects(own[name], workload, job):
                yield name

    def _events(self, key: RunKey, waiting: list[Object]) -> tuple[Object, ...]:
        """Events about the objects, by one request: for each, the API server reads all events."""
        uids = {waits["metadata"]["uid"] for waits in waiting}
        if not uids:
            return ()
        selector = f"involvedObject.uid={min(uids)}" if len(uids) == 1 else WARNINGS
        found = self._cluster.list(api.EVENTS, key.namespace, fieldSelector=selector)
        return tuple(event for event in found if event["involvedObject"].get("uid") in uids)

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


def maker(jobs: Iterable[Object]) -> str | None:
    """Installation that made the newest of the Jobs that name theirs."""
    told = (
        (str(meta["creationTimestamp"]), str(meta["annotations"][labels.INSTALLATION]))
        for meta in (job["metadata"] for job in jobs)
        if labels.INSTALLATION in meta.get("annotations", {})
    )
    return max(told, default=("", None))[1]


def _check_others(run: LCCPRun, jobs: Iterable[Object], pods: Iterable[Object]) -> None:
    for job in jobs:
        owners = job["metadata"].get("ownerReferences", ())
        if any(o["kind"] == labels.KIND and o["uid"] != run.metadata.uid for o in owners):
            raise EarlierWorkloads(
                f"Job {job['metadata']['name']} of the deleted run of this name has not ended yet: "
                "nothing is started before that"
            )
    for orphan in orphans(jobs, pods):
        raise EarlierWorkloads(
            f"{orphan} has this run's label and no owner, as --cascade=orphan leaves it: nothing "
            "is started while it runs: let it end, or delete it: "
            f"kubectl delete {orphan} -n {run.metadata.namespace}"
        )


def orphans(jobs: Iterable[Object], pods: Iterable[Object]) -> Iterator[str]:
    """Jobs and pods, as named by kubectl, that have not ended and that no controller owns."""
    for job in jobs:
        if not (_controlled(job) or _true_conditions(job) & ENDS):
            yield f"job/{job['metadata']['name']}"
    for pod in pods:
        if not (_controlled(pod) or has_ended(pod)):
            yield f"pod/{pod['metadata']['name']}"


def _controlled(document: Object) -> bool:
    return any(owner.get("controller") for owner in document["metadata"].get("ownerReferences", ()))


def _true_conditions(job: Object) -> set[str]:
    conditions = job.get("status", {}).get("conditions", ())
    return {condition["type"] for condition in conditions if condition["status"] == "True"}


def unexplained(jobs: Iterable[Object], pods: Iterable[Object]) -> Iterator[Object]:
    """Objects whose events may be the only explanation why a Job does not run in full.

    These are the Job itself, while it has fewer pods than it wants, and its pods that are pending
    without a reason: each node may have another one.
    """
    for job in jobs:
        uid = job["metadata"]["uid"]
        if _true_conditions(job):
            continue
        own = [pod for pod in pods if uid in owner_uids(pod)]
        if len(own) < (job.get("spec", {}).get("completions") or 1):
            yield job
        yield from (pod for pod in own if is_pending(pod) and not is_explained(pod))


def _age(document: Object, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(document["metadata"]["creationTimestamp"]).astimezone(UTC)
