"""What keeps pods from starting, by their statuses and events. Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import Seen, condition_of
from lccp_operator.kubernetes.workloads.troubles.told import is_long_ago, refused, trouble
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
CLAIM_REASONS = {
    "FailedBinding": Reason.VOLUME_NOT_MOUNTED,
    "FailedResourceClaimCreation": Reason.POD_REJECTED,
}
"""Of events of controllers that make a claim for a pod: of an ephemeral volume, of devices."""
GATED = "SchedulingGated"
WAITS_FOR_GATES = (
    "a pod waits until its scheduling gates (spec.schedulingGates) are removed, by the program "
    "that they belong to: check that it runs, or leave them out of podTemplate"
)
SANDBOX_REASONS = frozenset({"FailedCreatePodSandBox", "NetworkNotReady"})


def is_pending(pod: Object) -> bool:
    return bool(pod["status"].get("phase") == "Pending")


def has_ended(pod: Object) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def is_explained(pod: Object) -> bool:
    """Its own status says why it is pending."""
    status = pod["status"]
    if any(_of_containers(status)):
        return True
    return not _lacks_ephemeral_claim(status) and any(_of_scheduling(status))


def of_pods(pods: Iterable[Object], seen: Seen) -> Iterator[Trouble]:
    """The troubles that statuses and events of pending pods name."""
    for pod in pods:
        if is_pending(pod):
            yield from _of_containers(pod["status"])
            yield from _of_claims(pod, seen)
            yield from _of_scheduling(pod["status"])
            yield from _of_kubelet(pod, seen)


def of_silence(pods: Iterable[Object], now: datetime) -> Iterator[Trouble]:
    """Troubles that nothing explains, since the responsible component does not begin."""
    for pod in filter(is_pending, pods):
        if _waits_for_a_component(pod, now):
            yield trouble(Reason.STARTING, _not_taken_up(pod))
        for container in pod["status"].get("initContainerStatuses", ()):
            if "running" in container.get("state", {}):
                yield trouble(Reason.STARTING, _runs_before(container["name"]))


def _runs_before(name: str) -> str:
    fetches = ": it fetches the checkpoint; if this lasts, it can't reach the store"
    return f"init container {name} runs{fetches if name == labels.FETCH else ''}"


def _waits_for_a_component(pod: Object, now: datetime) -> bool:
    """For long, neither its scheduler nor the kubelet of its node has begun with it."""
    told = condition_of(pod["status"], "PodScheduled")
    since = told.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    taken_up = told.get("status") == "False" or "startTime" in pod["status"]
    return not taken_up and is_long_ago(since, now)


def _not_taken_up(pod: Object) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    if "nodeName" in spec:
        return f"pod {name} is assigned to node {spec['nodeName']}, which has not picked it up"
    told = f"pod {name} waits for scheduler {spec.get('schedulerName')}, which has not seen it"
    return f"{told}: check that it runs, or correct podTemplate.spec.schedulerName"


def _of_containers(status: Object) -> Iterator[Trouble]:
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field, ()):
            waiting = container.get("state", {}).get("waiting", {})
            reason, message = waiting.get("reason", ""), waiting.get("message", "")
            if reason in IMAGE_REASONS:
                told = f"{container['image']}: {BACK_OFF.sub('', message) or reason}"
                yield trouble(Reason.IMAGE_UNAVAILABLE, told)
            elif reason not in SILENT_REASONS:
                told = f"container {container['name']}: {reason}: {message}"
                yield trouble(_missing(message) or Reason.CONTAINER_NOT_STARTED, told)


def _of_kubelet(pod: Object, seen: Seen) -> Iterator[Trouble]:
    """What keeps a pod from getting its volumes and its network, by its events, newest first."""
    if _is_ready_to_start(pod):
        return
    for event in seen.events_of(pod):
        message = event.get("message", "")
        if event.get("reason") in MOUNT_REASONS:
            yield trouble(_missing(message) or Reason.VOLUME_NOT_MOUNTED, message)
        elif event.get("reason") in SANDBOX_REASONS:
            yield trouble(Reason.CONTAINER_NOT_STARTED, message)


def _of_claims(pod: Object, seen: Seen) -> Iterator[Trouble]:
    """Why claims that Kubernetes makes for the pod are not made, by its events, newest first."""
    if condition_of(pod["status"], "PodScheduled").get("status") == "True":
        return
    for event in seen.events_of(pod):
        if (otherwise := CLAIM_REASONS.get(event.get("reason", ""))) is not None:
            yield refused(event.get("message", ""), otherwise)


def _lacks_ephemeral_claim(status: Object) -> bool:
    told: str = condition_of(status, "PodScheduled").get("message", "")
    return "ephemeral volume controller" in told


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
    if scheduled.get("reason") == GATED:
        yield trouble(Reason.STARTING, WAITS_FOR_GATES)
    elif scheduled.get("status") == "False":
        told = scheduled.get("message") or scheduled.get("reason", "")
        lacks_claim = "persistentvolumeclaim" in told.lower()
        yield trouble(Reason.VOLUME_NOT_MOUNTED if lacks_claim else Reason.UNSCHEDULABLE, told)
