"""How the containers of a pod ended, as its kubelet reports it. Pure."""

from collections.abc import Iterable
from datetime import datetime

from lccp.api import labels
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import KubeletTime
from lccp_operator.kubernetes.workloads.troubles.told import short

NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons for the end of a container whose process the runtime could not start."""

LOST = frozenset({"Unknown", "ContainerStatusUnknown"})
"""Reasons for the end of a container that its node no longer knew, as after a restart of the node.

The exit code is then the kubelet's own (255, 137)."""

EVICTED = "Evicted"
"""Reason of a pod that its kubelet ended, whose containers it often no longer knows by then."""

PRESSED = "The node had condition: "
"""Part of the message of such a pod that a kubelet under pressure rejected, as it does with pods
that run there once it was restarted; it sets no condition `DisruptionTarget`
(https://github.com/kubernetes/kubernetes/blob/v1.35.0/pkg/kubelet/eviction/helpers.go)."""


def terminated(pod: Object) -> Object:
    """How the pod's main container ended; empty while it runs.

    It is named after its component, an importer's after itself. A failed fetching container ends
    the work in the same way. Others, such as those that a service mesh injects, do not matter.
    """
    fetching: Object = init_container(pod.get("status", {}), labels.FETCH).get("terminated", {})
    if fetching.get("exitCode"):
        return fetching
    ended: Object = _main_container(pod).get("terminated", {})
    return ended


def has_begun(pod: Object) -> bool:
    """Its main container runs or has ended, or its external suite does.

    A kubelet calls a pod pending until each of its containers has been started.
    """
    suite, main = init_container(pod.get("status", {}), labels.SUITE), _main_container(pod)
    return not {"running", "terminated"}.isdisjoint({*suite, *main})


def _main_container(pod: Object) -> Object:
    """State of the main container; empty where there is none yet."""
    names = (pod["metadata"].get("labels", {}).get(labels.COMPONENT), labels.IMPORTER)
    for container in pod.get("status", {}).get("containerStatuses", ()):
        if container.get("name") in names:
            state: Object = container.get("state", {})
            return state
    return {}


def kubelet_times(pods: Iterable[Object]) -> dict[KubeletTime, datetime]:
    """The times in the pods' statuses that matter, by their nodes' clocks.

    A pod that the API server created later than its kubelet says began then.
    """
    found: dict[KubeletTime, datetime] = {}
    for pod in pods:
        meta, status = pod["metadata"], pod.get("status", {})
        told = (status.get("startTime"), terminated(pod).get("finishedAt"), reports_since(pod))
        created = datetime.fromisoformat(meta["creationTimestamp"])
        found |= {(meta["uid"], at): max(datetime.fromisoformat(at), created) for at in told if at}
    return found


def init_container(status: Object, name: str) -> Object:
    """State of the init container of that name; empty where there is none."""
    for container in status.get("initContainerStatuses", ()):
        if container.get("name") == name:
            state: Object = container.get("state", {})
            return state
    return {}


def reports_since(pod: Object) -> str | None:
    """When the program of the pod's external suite had ended, and its report began.

    None unless the report is being written.
    """
    status, name = pod.get("status", {}), pod["metadata"].get("labels", {}).get(labels.COMPONENT)
    if not init_container(status, labels.SUITE):
        return None
    for container in status.get("containerStatuses", ()):
        if container.get("name") == name:
            began: str | None = container.get("state", {}).get("running", {}).get("startedAt")
            return began
    return None


def program_failure(ended: Object) -> str:
    """How the program of an external suite failed, by the end of its container."""
    code, words = ended.get("exitCode"), ended.get("message", "")
    if not code:
        return ""
    not_started = ended.get("reason") in NOT_STARTED
    how = "could not be started" if not_started else f"ended with exit code {code}"
    return short(": ".join(filter(None, (f"the suite's program {how}", words))))


def failure(status: Object, ended: Object) -> str:
    """Why a pod failed without running its main container, as reported by its kubelet."""
    if ended:
        return short(told(ended)) if ended.get("reason") in NOT_STARTED else ""
    for container in status.get("initContainerStatuses", ()):
        how = container.get("state", {}).get("terminated", {})
        code, words = how.get("exitCode", 0), how.get("message", "")
        if code:
            more = f": {words}" if words else ""
            return short(f"init container {container['name']} ended with exit code {code}{more}")
    return short(told(status))


def lost(status: Object, ended: Object) -> str:
    """Says that the container's end is its node's; empty if it ended in another way.

    A pod that was evicted may have exceeded a limit of its own: its condition `DisruptionTarget`
    says whether its node was short of something, or its message that it was rejected for that.
    """
    if status.get("reason") == EVICTED and PRESSED in status.get("message", ""):
        return short(told(status))
    reason = ended.get("reason", "")
    if reason not in LOST or status.get("reason") == EVICTED:
        return ""
    return f"its node was restarted, and lost it ({reason})"


def told(status: Object) -> str:
    return ": ".join(filter(None, (status.get("reason"), status.get("message"))))
