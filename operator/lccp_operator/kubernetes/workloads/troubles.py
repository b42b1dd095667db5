"""What keeps a workload from running, by its Job's events, its pods and Kueue's Workload. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.asked import refusal
from lccp_operator.kubernetes.workloads.jobs import QUEUE_LABEL, is_let_in
from lccp_operator.kubernetes.workloads.seen import CHANGES, Seen, condition_of, owner_uids
from lccp_operator.workloads.state import Trouble

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*": (?:\w+: )?')
"""Prefix between two tries: the rest is the sentence of the try, so that both read the same."""

SILENT_REASONS = frozenset({"", "ContainerCreating", "PodInitializing"})
"""A kubelet gives no other reason while it works, or waits for a volume or the network."""

MOUNT_REASONS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
SANDBOX_REASONS = frozenset({"FailedCreatePodSandBox", "NetworkNotReady"})
SILENCE = timedelta(seconds=15)
"""From the creation of an object: the responsible controller has begun with it by then."""

MESSAGE_LENGTH_MAX = 500
JOBS_NAMED = 3


def trouble_of(job: Object, pods: Collection[Object], seen: Seen, now: datetime) -> Trouble | None:
    """The first trouble of a workload that has not ended: Job, queue, creation, then its pods."""
    found = [
        *_of_changes(job),
        *_of_queue(job, seen),
        *_of_hands(job),
        *_of_creation(job, seen),
        *_of_pods(pods, seen),
        *_of_silence(job, pods, now),
    ]
    return found[0] if found else None


def is_pending(pod: Object) -> bool:
    return bool(pod["status"].get("phase") == "Pending")


def has_ended(pod: Object) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def of_status(status: Object) -> Iterator[Trouble]:
    """The troubles named by a pod's own status."""
    yield from _of_containers(status)
    yield from _of_scheduling(status)


def _of_changes(job: Object) -> Iterator[Trouble]:
    if CHANGES in job:
        yield _trouble(Reason.POD_REJECTED, refusal(job["metadata"]["name"], job[CHANGES]))


def _of_queue(job: Object, seen: Seen) -> Iterator[Trouble]:
    uid, queue = job["metadata"]["uid"], job["metadata"].get("labels", {}).get(QUEUE_LABEL)
    if queue is None or not job["spec"].get("suspend"):
        return
    behind = _behind(queue, [one for one in seen.neighbours if one["metadata"]["uid"] != uid])
    for admission in seen.kueue_workloads:
        if uid in owner_uids(admission):
            for reason, told in _of_admission(admission, behind):
                yield _trouble(reason, f"queue {queue}{told}")
    yield _trouble(Reason.QUEUED, f"waits in queue {queue}{behind}")


def _of_admission(admission: Object, behind: str) -> Iterator[tuple[Reason, str]]:
    """Why Kueue does not admit a Workload."""
    status, checks = admission.get("status", {}), [*_checks(admission.get("status", {}))]
    if not admission.get("spec", {}).get("active", True):
        told = f"Workload {admission['metadata']['name']} is deactivated (spec.active)"
        evicted = condition_of(status, "Evicted").get("message", "")
        yield Reason.HELD_BACK, ": " + ": ".join(filter(None, (told, evicted, *checks)))
    reserved = condition_of(status, "QuotaReserved")
    if reserved.get("status") == "False":
        told, why = reserved.get("message", ""), reserved.get("reason")
        unknown = why == "Inadmissible" and "doesn't exist" in told
        yield Reason.UNKNOWN_QUEUE if unknown else Reason.QUEUED, f"{behind}: {told}"
    for told in checks:
        yield Reason.QUEUED, f": it has quota, and {told}"


def _checks(status: Object) -> Iterator[str]:
    for check in status.get("admissionChecks", ()):
        if check["state"] != "Ready":
            told = ": ".join(filter(None, (check["state"], check.get("message"))))
            yield f"admission check {check['name']} is {told}"


def _of_hands(job: Object) -> Iterator[Trouble]:
    """A Job that somebody holds by changing it, rather than its queue."""
    spec, wanted = job["spec"], job["spec"].get("completions") or 1
    name = f"Job {job['metadata']['name']}"
    if spec.get("suspend"):
        yield _trouble(Reason.HELD_BACK, f"{name} is suspended, and names no queue")
    elif spec.get("parallelism", wanted) < wanted:
        told = f"{name} has parallelism {spec['parallelism']} instead of {wanted}"
        yield _trouble(Reason.HELD_BACK, told)


def _behind(queue: str, others: Iterable[Object]) -> str:
    """The Jobs of runs that the queue has admitted, in words."""
    names = sorted(job["metadata"]["name"] for job in others if is_let_in(job, queue))
    if not names:
        return ""
    more = f" and {len(names) - JOBS_NAMED} more" if len(names) > JOBS_NAMED else ""
    return f", behind {', '.join(names[:JOBS_NAMED])}{more}"


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
            quota = "exceeded quota" in told
            yield _trouble(Reason.QUOTA_EXCEEDED if quota else Reason.POD_REJECTED, told)


def _of_pods(pods: Iterable[Object], seen: Seen) -> Iterator[Trouble]:
    for pod in pods:
        if is_pending(pod):
            yield from of_status(pod["status"])
            yield from _of_kubelet(pod, seen)


def _of_silence(job: Object, pods: Collection[Object], now: datetime) -> Iterator[Trouble]:
    """Troubles that nothing explains, since the responsible controller does not begin."""
    meta = job["metadata"]
    began = job.get("status", {}).get("startTime") or meta["creationTimestamp"]
    if not pods and "deletionTimestamp" not in meta and _is_long_ago(began, now):
        yield _trouble(Reason.STARTING, _without_pods(job))
    for pod in filter(is_pending, pods):
        if _waits_for_a_component(pod, now):
            yield _trouble(Reason.STARTING, _not_taken_up(pod))
        for container in pod["status"].get("initContainerStatuses", ()):
            if "running" in container.get("state", {}):
                yield _trouble(Reason.STARTING, _runs_before(container["name"]))


def _runs_before(name: str) -> str:
    fetches = ": it fetches the checkpoint; if this lasts, it can't reach the store"
    return f"init container {name} runs{fetches if name == labels.FETCH else ''}"


def _waits_for_a_component(pod: Object, now: datetime) -> bool:
    """For long, neither its scheduler nor the kubelet of its node has begun with it."""
    told = condition_of(pod["status"], "PodScheduled")
    since = told.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    taken_up = told.get("status") == "False" or "startTime" in pod["status"]
    return not taken_up and _is_long_ago(since, now)


def _without_pods(job: Object) -> str:
    name, own = job["metadata"]["name"], job["metadata"].get("labels", {})
    if not job.get("status", {}).get("active"):
        return f"Job {name} has no pods yet: no controller has picked it up"
    return (
        f"Job {name} has pods, and none of them has the label {labels.RUN}={own.get(labels.RUN)}: "
        "somebody removed or changed it; nobody sees what they do until it is put back"
    )


def _not_taken_up(pod: Object) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    if "nodeName" in spec:
        return f"pod {name} is assigned to node {spec['nodeName']}, which has not picked it up"
    told = f"pod {name} waits for scheduler {spec.get('schedulerName')}, which has not seen it"
    return f"{told}: check that it runs, or correct podTemplate.spec.schedulerName"


def _is_long_ago(at: str, now: datetime) -> bool:
    return now - datetime.fromisoformat(at).astimezone(UTC) > SILENCE


def _of_containers(status: Object) -> Iterator[Trouble]:
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field, ()):
            waiting = container.get("state", {}).get("waiting", {})
            reason, message = waiting.get("reason", ""), waiting.get("message", "")
            if reason in IMAGE_REASONS:
                told = f"{container['image']}: {BACK_OFF.sub('', message) or reason}"
                yield _trouble(Reason.IMAGE_UNAVAILABLE, told)
            elif reason not in SILENT_REASONS:
                told = f"container {container['name']}: {reason}: {message}"
                yield _trouble(_missing(message) or Reason.CONTAINER_NOT_STARTED, told)


def _of_kubelet(pod: Object, seen: Seen) -> Iterator[Trouble]:
    """What keeps a pod from getting its volumes and its network, by its events, newest first."""
    if _is_ready_to_start(pod):
        return
    for event in seen.events_of(pod):
        message = event.get("message", "")
        if event.get("reason") in MOUNT_REASONS:
            yield _trouble(_missing(message) or Reason.VOLUME_NOT_MOUNTED, message)
        elif event.get("reason") in SANDBOX_REASONS:
            yield _trouble(Reason.CONTAINER_NOT_STARTED, message)


def _is_ready_to_start(pod: Object) -> bool:
    """Its volumes are mounted and its network is up: older events no longer count."""
    return bool(condition_of(pod["status"], "PodReadyToStartContainers").get("status") == "True")


def _missing(message: str) -> Reason | None:
    """The kind of object that is missing according to the kubelet's message."""
    told = message.lower()
    if "configmap" in told:
        return Reason.MISSING_CONFIG_MAP
    return Reason.MISSING_SECRET if "secret" in told else None


def _of_scheduling(status: Object) -> Iterator[Trouble]:
    scheduled = condition_of(status, "PodScheduled")
    if scheduled.get("status") == "False":
        told = scheduled.get("message") or scheduled.get("reason", "")
        lacks_claim = "persistentvolumeclaim" in told.lower()
        yield _trouble(Reason.VOLUME_NOT_MOUNTED if lacks_claim else Reason.UNSCHEDULABLE, told)


def _trouble(reason: Reason, message: str) -> Trouble:
    return Trouble(reason, " ".join(message.split())[:MESSAGE_LENGTH_MAX])
