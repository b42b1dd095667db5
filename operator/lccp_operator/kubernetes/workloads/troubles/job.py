"""What keeps a workload from running, by its Job and the Job's events first. Pure."""

import re
from collections.abc import Collection, Iterator
from datetime import datetime

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.asked import refusal
from lccp_operator.kubernetes.workloads.endings import terminated
from lccp_operator.kubernetes.workloads.seen import CHANGES, FOREGROUND, ORPHAN, Seen, condition_of
from lccp_operator.kubernetes.workloads.troubles.pod import has_ended, of_pods, of_silence
from lccp_operator.kubernetes.workloads.troubles.queue import of_queue
from lccp_operator.kubernetes.workloads.troubles.told import (
    SILENCE,
    is_long_ago,
    refused,
    trouble,
)
from lccp_operator.workloads.state import Trouble

OF_KUBERNETES = (FOREGROUND, ORPHAN, "batch.kubernetes.io/job-tracking")
"""Finalizers that Kubernetes removes itself."""


def trouble_of(job: Object, pods: Collection[Object], seen: Seen, now: datetime) -> Trouble | None:
    """The first trouble of a workload that has not ended: Job, queue, creation, then its pods."""
    found = [
        *_of_changes(job),
        *of_deletion(job, pods),
        *of_queue(job, seen, now),
        *_of_hands(job),
        *_of_creation(job, seen),
        *of_pods(pods, seen),
        *_without_any(job, pods, now),
        *_not_recorded(job, pods, seen, now),
        *of_silence(pods, now),
    ]
    return found[0] if found else None


def of_deletion(job: Object, pods: Collection[Object]) -> Iterator[Trouble]:
    """What keeps a deleted Job none of whose pods works any more: other programs' finalizers."""
    if "deletionTimestamp" not in job["metadata"] or not all(map(has_ended, pods)):
        return
    for kind, one in (("Job", job), *(("pod", pod) for pod in pods)):
        others = [f for f in one["metadata"].get("finalizers", ()) if f not in OF_KUBERNETES]
        if "deletionTimestamp" in one["metadata"] and others:
            told = f"{kind} {one['metadata']['name']} is being deleted, and finalizers of other"
            yield trouble(Reason.HELD_BACK, f"{told} programs keep it: {', '.join(others)}")


def _of_changes(job: Object) -> Iterator[Trouble]:
    if CHANGES in job:
        yield trouble(Reason.POD_REJECTED, refusal(job["metadata"]["name"], job[CHANGES]))


def _of_hands(job: Object) -> Iterator[Trouble]:
    """A Job that somebody holds by changing it, rather than its queue."""
    spec, wanted = job["spec"], job["spec"].get("completions") or 1
    name = f"Job {job['metadata']['name']}"
    if spec.get("suspend"):
        yield trouble(Reason.HELD_BACK, f"{name} is suspended, and names no queue")
    elif spec.get("parallelism", wanted) < wanted:
        told = f"{name} has parallelism {spec['parallelism']} instead of {wanted}"
        yield trouble(Reason.HELD_BACK, told)


def _of_creation(job: Object, seen: Seen) -> Iterator[Trouble]:
    """Pods that the API server refused: the Job controller reports that in FailedCreate events.

    Without the name of the pod, which each of its tries makes anew.
    """
    if job.get("status", {}).get("active", 0) >= (job["spec"].get("completions") or 1):
        return
    name = job["metadata"]["name"]
    for event in seen.events_of(job):
        if event.get("reason") == "FailedCreate":
            told = re.sub(rf'"{re.escape(name)}-[-a-z0-9]+"', f'"{name}-*"', event["message"])
            yield refused(told, Reason.POD_REJECTED)


def _without_any(job: Object, pods: Collection[Object], now: datetime) -> Iterator[Trouble]:
    """Nothing explains that it has no pods, since the Job controller does not begin."""
    meta = job["metadata"]
    began = job.get("status", {}).get("startTime") or meta["creationTimestamp"]
    if not pods and "deletionTimestamp" not in meta and is_long_ago(began, now):
        yield trouble(Reason.STARTING, _without_pods(job))


def _not_recorded(
    job: Object, pods: Collection[Object], seen: Seen, now: datetime
) -> Iterator[Trouble]:
    """Its pods have ended, and the Job controller does not say so in the Job."""
    if pods and all(map(has_ended, pods)) and now - max(_end(p, seen) for p in pods) > SILENCE:
        told = f"all pods of Job {job['metadata']['name']} have ended, and no controller has"
        then = "recorded that in the Job, as is waited for: check that kube-controller-manager runs"
        yield trouble(Reason.STARTING, f"{told} {then}")


def _end(pod: Object, seen: Seen) -> datetime:
    """When it ended: its main container, or else when it was no longer ready."""
    ready = condition_of(pod["status"], "Ready").get("lastTransitionTime")
    at = seen.when(pod, terminated(pod).get("finishedAt") or ready)
    return at or datetime.fromisoformat(pod["metadata"]["creationTimestamp"])


def _without_pods(job: Object) -> str:
    name, own = job["metadata"]["name"], job["metadata"].get("labels", {})
    if not job.get("status", {}).get("active"):
        return f"Job {name} has no pods yet: no controller has picked it up"
    return (
        f"Job {name} has pods, and none of them has the label {labels.RUN}={own.get(labels.RUN)}: "
        "somebody removed or changed it; nobody sees what they do until it is put back"
    )
