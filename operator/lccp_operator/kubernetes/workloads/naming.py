"""Which workload of a run a Job or a pod is, by its labels. Pure."""

from collections.abc import Iterable

from lccp.api import labels
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import CHANGES
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.registry import workload_of


def named(jobs: Iterable[Object], run: str) -> dict[Workload, Object]:
    """The Jobs of `run` by the workload that their labels name.

    Raises InvalidInput for labels that another version of LCCP, or somebody, wrote: without them a
    Job would count as gone, and another one would begin.
    """
    found: dict[Workload, Object] = {}
    jobs = sorted(jobs, key=lambda job: str(job["metadata"]["name"]))
    names = {str(job["metadata"]["name"]) for job in jobs}
    for job in jobs:
        workload, name = workload_named("Job", job), job["metadata"]["name"]
        told = "" if workload is None else workload.name(run)
        if workload is None or told != name:
            copied = told in names and CHANGES not in job
            raise InvalidInput(_copied(job, told) if copied else _relabelled(name))
        found[workload] = job
    return found


def _relabelled(name: str) -> str:
    return (
        f"the labels of Job {name} are not those of its name, since somebody changed them: "
        "nothing is started while it exists: put them back, or delete it"
    )


def _copied(job: Object, original: str) -> str:
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    return (
        f"Job {name} is a copy of Job {original}, whose labels it has, and computes beside it: "
        f"nothing is started while it exists: kubectl delete job {name} -n {namespace}"
    )


def check_labelled(pod: Object, workload: Workload | None) -> None:
    """Raise InvalidInput for a pod without a known Job whose labels do not fit its Job's name."""
    run, owners = pod["metadata"]["labels"][labels.RUN], pod["metadata"].get("ownerReferences", ())
    jobs = [o["name"] for o in owners if o.get("controller") and o.get("kind") == "Job"]
    if workload is None and any(job.startswith(f"{run}-") for job in jobs):
        told = f"of the deleted Job {jobs[0]} has lost its label {labels.COMPONENT}"
        raise InvalidInput(_mislabelled(pod, told, "put the label back"))
    if workload is not None and jobs and jobs[0] != workload.name(run):
        told = f"of Job {jobs[0]} has the label {labels.RUN}={run}, which is not that of its Job"
        raise InvalidInput(_mislabelled(pod, told, "correct the label"))


def _mislabelled(pod: Object, told: str, remedy: str) -> str:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    return (
        f"pod {name} {told}: nothing is started while it runs: {remedy}, or delete the pod: "
        f"kubectl delete pod {name} -n {namespace}"
    )


def workload_named(kind: str, document: Object) -> Workload | None:
    """The workload that the labels of a Job or a pod name; None: they name no kind.

    Raises InvalidInput for those of another version of LCCP.
    """
    try:
        return workload_of(document["metadata"].get("labels", {}))
    except (KeyError, ValueError) as error:
        raise InvalidInput(
            f"{kind} {document['metadata']['name']} has labels of another version of LCCP "
            f"({error}): nothing is started while it exists: delete it"
        ) from None
