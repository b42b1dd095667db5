"""What a queue waits for is told in Kueue's words; a queue that only seems to be one, in ours."""

from datetime import timedelta

import pytest
from seen_objects import NOW, QUEUE, Told, a_job, trouble_in

from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object


def a_workload(reason: str, message: str) -> Object:
    condition = {"type": "QuotaReserved", "status": "False", "reason": reason, "message": message}
    owner = {"uid": "job", "controller": True}
    return {"metadata": {"ownerReferences": [owner]}, "status": {"conditions": [condition]}}


QUEUED = a_job(suspend=True, **QUEUE)
LET_IN, ENDED, ELSEWHERE = a_job(**QUEUE), a_job(conditions={"Failed": ""}, **QUEUE), a_job()
LET_IN["metadata"] |= {"name": "first-train-a1", "uid": "first"}
REJECTED = a_workload("Pending", "The workload is deactivated") | {"spec": {"active": False}}
REJECTED["metadata"]["name"] = "job-j"
REJECTED["status"]["conditions"].append(
    {"type": "Evicted", "status": "True", "message": "by checks"}
)
REJECTED["status"]["admissionChecks"] = [
    {"name": "region", "state": "Rejected", "message": "not in this region"}
]
CHECKED = a_workload("QuotaReserved", "")
CHECKED["status"]["conditions"][0]["status"] = "True"
CHECKED["status"]["admissionChecks"] = [
    {"name": "budget", "state": "Ready", "message": ""},
    {"name": "nodes", "state": "Pending", "message": "no nodes by now"},
]
DEACTIVATED = a_workload("Pending", "The workload is deactivated") | {"spec": {"active": False}}
DEACTIVATED["metadata"]["name"] = "job-j"

TROUBLES: dict[str, Told] = {
    "queue": (QUEUED, {}, Reason.QUEUED, "waits in queue research"),
    "behind others in the queue": (
        QUEUED,
        {"kueue_workloads": (a_workload("Pending", "insufficient quota for cpu"),)},
        *(Reason.QUEUED, "queue research: insufficient quota for cpu"),
    ),
    "behind a run in the queue": (
        QUEUED,
        {
            "kueue_workloads": (a_workload("Pending", "insufficient quota for cpu"),),
            "neighbours": (LET_IN, ENDED, ELSEWHERE, QUEUED),
        },
        *(Reason.QUEUED, "queue research, behind first-train-a1: insufficient quota"),
    ),
    "a queue that let it in while it was read": (
        QUEUED,
        {"neighbours": (a_job(**QUEUE),)},
        *(Reason.QUEUED, "waits in queue research"),
    ),
    "a queue that is held": (
        QUEUED,
        {"kueue_workloads": (a_workload("Inadmissible", "ClusterQueue c is inactive"),)},
        *(Reason.QUEUED, "queue research: ClusterQueue c is inactive"),
    ),
    "a Workload that was deactivated": (
        QUEUED,
        {"kueue_workloads": (DEACTIVATED,)},
        *(Reason.HELD_BACK, "queue research: Workload job-j is deactivated (spec.active)"),
    ),
    "a Workload that a check rejected": (
        QUEUED,
        {"kueue_workloads": (REJECTED,)},
        Reason.HELD_BACK,
        "queue research: Workload job-j is deactivated (spec.active): by checks: admission check "
        "region is Rejected: not in this region",
    ),
    "a check that does not let it in": (
        QUEUED,
        {"kueue_workloads": (CHECKED,)},
        Reason.QUEUED,
        "queue research: it has quota, and admission check nodes is Pending: no nodes by now",
    ),
    "no such queue": (
        QUEUED,
        {"kueue_workloads": (a_workload("Inadmissible", "LocalQueue research doesn't exist"),)},
        *(Reason.UNKNOWN_QUEUE, "queue research: LocalQueue research doesn't exist"),
    ),
}


@pytest.mark.parametrize(
    ("job", "seen", "reason", "message"), TROUBLES.values(), ids=TROUBLES.keys()
)
def test_what_keeps_a_workload_in_its_queue_is_named(
    job: Object, seen: Object, reason: Reason | None, message: str
) -> None:
    found = trouble_in(job, seen)

    assert (found.reason if found else None) is reason
    assert message in (found.message if found else "")


@pytest.mark.parametrize(
    ("seconds", "reason", "message"),
    [
        (14, Reason.QUEUED, "waits in queue research"),
        (
            16,
            Reason.STARTING,
            "queue research: Workload job-j is admitted, but Kueue has not resumed Job j: its log",
        ),
    ],
)
def test_an_admitted_job_that_is_never_resumed_is_told_after_a_while(
    seconds: int, reason: Reason, message: str
) -> None:
    """It has been seen: https://github.com/kubernetes-sigs/kueue/issues/1726."""
    admitted = a_workload("QuotaReserved", "Quota reserved in ClusterQueue c")
    admitted["metadata"]["name"] = "job-j"
    admitted["status"]["conditions"][0]["status"] = "True"
    told = {"type": "Admitted", "status": "True", "lastTransitionTime": NOW.isoformat()}
    admitted["status"]["conditions"].append(told)

    found = trouble_in(QUEUED, {"kueue_workloads": (admitted,)}, NOW + timedelta(seconds=seconds))

    assert found is not None
    assert (found.reason, found.message[: len(message)]) == (reason, message)
