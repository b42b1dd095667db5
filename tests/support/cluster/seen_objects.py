"""Jobs and pods as the API server returns them, in short form."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import Seen
from lccp_operator.kubernetes.workloads.troubles.job import trouble_of
from lccp_operator.workloads.state import Trouble
from lccp_operator.workloads.training import Training

Told = tuple[Object, Object, Reason | None, str]
"""A Job, what else was read of its workload, and the trouble that is to be found: none, or one of
this reason with this in its message."""

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=16)
"""By then, what was made at NOW should have been taken up."""
GANG = Training(1)
"""The workload of `a_job`."""

QUEUE = {"kueue.x-k8s.io/queue-name": "research"}


def a_job(
    status: Object | None = None,
    conditions: dict[str, str] | None = None,
    suspend: bool = False,
    message: str = "",
    **labels_: str,
) -> Object:
    own = labels.of_workload("tiny", labels.TRAINER, attempt="1") | labels_
    told = [
        {"type": type_, "status": "True", "reason": reason, "message": message}
        for type_, reason in (conditions or {}).items()
    ]
    return {
        "metadata": {
            "name": "j",
            "namespace": "default",
            "uid": "job",
            "labels": own,
            "creationTimestamp": NOW.isoformat(),
        },
        "spec": {"completions": 2, "suspend": suspend},
        "status": {"conditions": told} | (status or {}),
    }


def a_pod(phase: str = "Running", index: int = 0, owner: str = "job", **status: Any) -> Object:
    own = labels.of_workload("tiny", labels.TRAINER, attempt="1")
    return {
        "metadata": {
            "name": f"j-{index}",
            "uid": f"pod-{index}",
            "creationTimestamp": NOW.isoformat(),
            "labels": own | {"batch.kubernetes.io/job-completion-index": str(index)},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"schedulerName": "default-scheduler"},
        "status": {"phase": phase, **status},
    }


def terminated(
    code: int, reason: str = "Error", message: str = "", name: str = "trainer"
) -> Object:
    """A container that ended at NOW."""
    ended = {"exitCode": code, "reason": reason, "message": message}
    ended["finishedAt"] = NOW.isoformat()
    return {"state": {"terminated": ended}, "image": "x", "name": name}


def waiting(reason: str, message: str = "") -> Object:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"state": state, "image": "x:1", "name": "trainer"}


def an_event(uid: str, reason: str, message: str) -> Object:
    return {"involvedObject": {"uid": uid}, "reason": reason, "message": message}


def trouble_in(job: Object, seen: Object, now: datetime = NOW) -> Trouble | None:
    """The trouble of the gang with this Job, of which `seen` was read."""
    read = Seen({GANG: job}, **{"pods": (), **seen})
    return trouble_of(job, read.pods, read, now)
