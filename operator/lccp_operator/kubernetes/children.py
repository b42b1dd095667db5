"""Children as a cluster shows them: Jobs, pods, events and Workloads as `ChildState`s. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from lccp.api import labels
from lccp_operator.children import Child, Evaluation, Purge, Training
from lccp_operator.kubernetes.jobs import QUEUE_LABEL, TRY_LABEL
from lccp_operator.kubernetes.merge import Object
from lccp_operator.kubernetes.seen import Seen
from lccp_operator.kubernetes.troubles import trouble_of
from lccp_operator.observed import ChildState, Phase, Pod, Rule

COMPONENTS: Mapping[str, Callable[[Mapping[str, str]], Child]] = {
    labels.TRAINER: lambda own: Training(int(own[labels.ATTEMPT])),
    labels.EVALUATOR: lambda own: Evaluation(int(own[labels.TOKENS]), int(own[TRY_LABEL])),
    labels.PURGER: lambda _: Purge(),
}
PHASES = {
    "Pending": Phase.PENDING,
    "Running": Phase.RUNNING,
    "Succeeded": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
}
INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
RULES = (Rule.DISRUPTION, Rule.CONFIGURATION, Rule.NOT_FINITE, Rule.REST)
"""By their index in the podFailurePolicy (`jobs.failure_rules`)."""


def child_of(job: Object) -> Child | None:
    """The child that a Job is, by its labels; None if it is not one of ours."""
    own = job["metadata"].get("labels", {})
    build = COMPONENTS.get(own.get(labels.COMPONENT, ""))
    return build(own) if build else None


def states(seen: Seen) -> tuple[ChildState, ...]:
    """The children, by name of their Job."""
    jobs = sorted(seen.jobs, key=lambda job: str(job["metadata"]["name"]))
    pairs = ((job, child_of(job)) for job in jobs)
    return tuple(_state(job, child, seen) for job, child in pairs if child is not None)


def _state(job: Object, child: Child, seen: Seen) -> ChildState:
    uid = job["metadata"]["uid"]
    pods = tuple(pod for pod in seen.pods if _controller_uid(pod) == uid)
    status, spec = job.get("status", {}), job["spec"]
    phase = _phase(job, pods)
    return ChildState(
        child=child,
        phase=phase,
        pods=tuple(_pod(pod) for pod in pods),
        pods_expected=spec.get("completions") or 1,
        started_at=_time(status.get("startTime")),
        deleting="deletionTimestamp" in job["metadata"],
        rule=_rule(status.get("conditions", ())),
        trouble=None if phase in (Phase.SUCCEEDED, Phase.FAILED) else trouble_of(job, pods, seen),
        log=f"kubectl logs -n {job['metadata']['namespace']} job/{job['metadata']['name']}",
    )


def _phase(job: Object, pods: Iterable[Object]) -> Phase:
    true = {c["type"] for c in job.get("status", {}).get("conditions", ()) if c["status"] == "True"}
    if "Complete" in true:
        return Phase.SUCCEEDED
    if "Failed" in true:
        return Phase.FAILED
    queued = QUEUE_LABEL in job["metadata"].get("labels", {})
    if queued and job["spec"].get("suspend"):
        return Phase.QUEUED
    running = any(pod.get("status", {}).get("phase") == "Running" for pod in pods)
    return Phase.RUNNING if running else Phase.PENDING


def _rule(conditions: Iterable[Object]) -> Rule | None:
    """The rule that failed the Job, read from its condition's reason and message.

    The message ends with "matching FailJob rule at index N".
    """
    for condition in conditions:
        if condition["type"] not in ("FailureTarget", "Failed") or condition["status"] != "True":
            continue
        if condition.get("reason") == "DeadlineExceeded":
            return Rule.DEADLINE
        _, found, index = condition.get("message", "").rpartition("rule at index ")
        if found and index.isdigit() and int(index) < len(RULES):
            return RULES[int(index)]
    return None


def _pod(pod: Object) -> Pod:
    status = pod.get("status", {})
    ended = _terminated(status)
    disrupted = any(
        c["type"] == "DisruptionTarget" and c["status"] == "True"
        for c in status.get("conditions", ())
    )
    return Pod(
        index=int(
            pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-completion-index", 0)
        ),
        uid=pod["metadata"]["uid"],
        phase=PHASES.get(status.get("phase", ""), Phase.PENDING),
        deleting="deletionTimestamp" in pod["metadata"],
        exit_code=ended.get("exitCode"),
        out_of_memory=ended.get("reason") == "OOMKilled",
        disrupted=disrupted,
    )


def _terminated(status: Object) -> Object:
    """How the pod's first container ended; empty while it has not."""
    for container in status.get("containerStatuses", ()):
        if "terminated" in container.get("state", {}):
            ended: Object = container["state"]["terminated"]
            return ended
    return {}


def _controller_uid(pod: Object) -> str | None:
    owners = pod["metadata"].get("ownerReferences", ())
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
