"""The objects that were read of a run's workloads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from lccp.api import labels
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import SavedState

CHANGES = "changes"
"""Key of a Job as it is kept: what it lacks of what was asked of it, in words."""


FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
"""Finalizers of Kubernetes' garbage collector, which deals with the workloads itself."""

KubeletTime = tuple[str, str]
"""UID of a pod, and a time as its kubelet told it."""


class RunKey(NamedTuple):
    """Which run."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Seen:
    """The raw objects of the API server that were read of a run's workloads."""

    jobs: Mapping[Workload, Object]
    """By the workload that their labels name."""
    pods: tuple[Object, ...]
    events: tuple[Object, ...] = ()
    kueue_workloads: tuple[Object, ...] = ()
    neighbours: tuple[Object, ...] = ()
    """Jobs of all runs of the namespace, if one of `jobs` is held by a queue."""
    services: frozenset[str] | None = None
    """Names of the Services that select the pods of their gang; None: not read."""
    heard: Mapping[KubeletTime, datetime] = field(default_factory=dict)
    """By the API server's clock, the times that kubelets told of these pods by their own."""

    def events_of(self, document: Object) -> list[Object]:
        """The events about it, newest first."""
        uid = document["metadata"]["uid"]
        own = (event for event in self.events if event["involvedObject"].get("uid") == uid)
        return sorted(own, key=_last_seen, reverse=True)

    def when(self, pod: Object, told: str | None) -> datetime | None:
        """A time that the pod's kubelet told, by the API server's clock."""
        if told is None:
            return None
        return self.heard.get((pod["metadata"]["uid"], told)) or datetime.fromisoformat(told)


def _last_seen(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def owner_uids(document: Object) -> set[str]:
    """UIDs of the objects that own `document`."""
    return {owner["uid"] for owner in document["metadata"].get("ownerReferences", ())}


def condition_of(status: Object, type_: str) -> Object:
    """The condition of that type; empty where there is none."""
    found = (c for c in status.get("conditions", ()) if c["type"] == type_)
    return next(found, {})


def silent_node(pod: Object) -> str:
    """The pod's node, if the pod runs there and its kubelet has stopped reporting; else empty.

    Then the node controller marks the pod not ready while its containers stay ready; a kubelet
    would give a reason.
    """
    ready = condition_of(pod.get("status", {}), "Ready")
    containers = condition_of(pod.get("status", {}), "ContainersReady")
    told = ready.get("reason") or ready.get("status") != "False"
    silent = not told and containers.get("status") == "True"
    return str(pod["spec"].get("nodeName", "")) if silent else ""


def saved_state(told: Mapping[str, str]) -> SavedState | None:
    """The state recorded on a Job; None also if tokens or time can't be read."""
    try:
        at = datetime.fromisoformat(told[labels.LAST_STATE_AT]).astimezone(UTC)
        old = told.get(labels.LAST_STATE_OLD) == "true"
        return SavedState(int(told[labels.LAST_STATE_TOKENS]), at, old)
    except (KeyError, ValueError, OverflowError):
        return None
