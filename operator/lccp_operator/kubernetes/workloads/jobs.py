"""Jobs and Services for a run's workloads, as objects for the API server. Pure."""

import hashlib

from lccp.api import labels
from lccp.api.exits import ExitCode
from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned, PodDefaults
from lccp.api.run import LCCPRun
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.pods import pod_template
from lccp_operator.kubernetes.workloads.seen import condition_of
from lccp_operator.workloads.kind import PodSet, Workload

RENDEZVOUS_PORT = 29400
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"


def service_name(job: str) -> str:
    """Name of the Service of the Job named `job`: its own, unless that begins with a digit.

    Jobs and pods may do so, Services may not (RFC 1035); the hash keeps it apart from those of runs
    that are named so. At most 63 characters, with attempts of up to four digits.
    """
    if job[0].isalpha():
        return job
    return f"s{hashlib.sha256(job.encode()).hexdigest()[:6]}-{job}"


def selects(service: Object, workload: Workload, job: Object) -> bool:
    """Whether `service` selects the pods of `job`, and not those of other attempts.

    Another version of LCCP may have made both; labels of the Job, which it does not select by, may
    be edited.
    """
    selector, told = service["spec"].get("selector") or {}, job["metadata"].get("labels", {})
    own = labels.of_workload(told.get(labels.RUN, ""), workload.COMPONENT, **workload.labels())
    needed = own.keys() & told.keys()
    return bool(needed <= selector.keys() and selector.items() <= own.items() | told.items())


def service(run: LCCPRun, workload: Workload, pods: PodSet) -> Object | None:
    """The headless Service by which a gang's pods find each other, even before they are ready.

    None for a single pod.
    """
    if pods.count == 1:
        return None
    own = _labels(run, workload)
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": own,
        "ports": [{"name": "rendezvous", "port": RENDEZVOUS_PORT}],
    }
    name = service_name(workload.name(run.metadata.name))
    return _object(run, "v1", "Service", name, own, spec)


def job(
    run: LCCPRun, workload: Workload, pods: PodSet, store: StoreConfig, pinned: Pinned
) -> Object:
    """The Job of a workload: a gang fails as a whole."""
    name, own = workload.name(run.metadata.name), _labels(run, workload)
    first = f"{name}-0.{service_name(name)}:{RENDEZVOUS_PORT}"
    rendezvous = first if pods.count > 1 else None
    defaults = pinned.templates or PodDefaults()
    template = pod_template(run, defaults, pods, store, own, rendezvous)
    spec = {"backoffLimit": pods.retries, "template": template}
    if pods.is_gang:
        spec |= {"completionMode": "Indexed"}
        spec |= dict.fromkeys(("completions", "parallelism"), pods.count)
    if pods.deadline_seconds is not None:
        spec |= {"activeDeadlineSeconds": pods.deadline_seconds}
    if not pods.retries:
        rules = {"rules": failure_rules(pods.container)}
        spec |= {"podReplacementPolicy": "Failed", "podFailurePolicy": rules}
    its_own = own | _queue(pods) | {labels.SETTINGS: pods.digest}
    return _object(run, "batch/v1", "Job", name, its_own, spec)


def failure_rules(container: str) -> list[Object]:
    """Only FailJob rules, in a fixed order: disruption, configuration, not finite, the rest."""

    def exits(operator: str, code: ExitCode) -> Object:
        codes = {"containerName": container, "operator": operator, "values": [int(code)]}
        return {"action": "FailJob", "onExitCodes": codes}

    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    return [
        {"action": "FailJob", "onPodConditions": disrupted},
        exits("In", ExitCode.CONFIGURATION),
        exits("In", ExitCode.NOT_FINITE),
        exits("NotIn", ExitCode.OK),
    ]


def owner_reference(run: LCCPRun) -> Object:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "name": run.metadata.name,
        "uid": run.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _labels(run: LCCPRun, workload: Workload) -> dict[str, str]:
    return labels.of_workload(run.metadata.name, workload.COMPONENT, **workload.labels())


def _queue(pods: PodSet) -> dict[str, str]:
    queue, priority = pods.spec.queue_name, pods.spec.queue_priority_class_name
    given = {QUEUE_LABEL: queue, PRIORITY_LABEL: priority if queue else None}
    return {name: value for name, value in given.items() if value}


def _object(
    run: LCCPRun, api_version: str, kind: str, name: str, own: dict[str, str], spec: Object
) -> Object:
    metadata = {
        "name": name,
        "namespace": run.metadata.namespace,
        "labels": own,
        "ownerReferences": [owner_reference(run)],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def is_let_in(job: Object, queue: str) -> bool:
    """The queue has admitted the Job, which has not ended."""
    if job["metadata"].get("labels", {}).get(QUEUE_LABEL) != queue or job["spec"].get("suspend"):
        return False
    status = job.get("status", {})
    return not any(condition_of(status, e).get("status") == "True" for e in ("Complete", "Failed"))
