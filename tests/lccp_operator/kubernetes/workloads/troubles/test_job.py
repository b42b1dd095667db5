"""What blocks a workload is named, in the order in which it must be solved: its Job comes first."""

from datetime import datetime

import pytest
from seen_objects import LATER, NOW, Told, a_job, a_pod, an_event, terminated, trouble_in

from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import Seen
from lccp_operator.kubernetes.workloads.troubles.job import trouble_of
from lccp_operator.workloads.state import Trouble

TROUBLES: dict[str, Told] = {
    "none": (a_job(), {"pods": (a_pod("Pending"),)}, None, ""),
    "quota": (
        a_job(),
        {"events": (an_event("job", "FailedCreate", 'pods "x" is forbidden: exceeded quota: q'),)},
        *(Reason.QUOTA_EXCEEDED, "exceeded quota: q"),
    ),
    "quota for one of two": (
        a_job({"active": 1}),
        {
            "pods": (a_pod(),),
            "events": (an_event("job", "FailedCreate", "exceeded quota: q"),),
        },
        *(Reason.QUOTA_EXCEEDED, "exceeded quota: q"),
    ),
    "quota that was exceeded once": (
        a_job({"active": 2}),
        {"events": (an_event("job", "FailedCreate", "exceeded quota: q"),)},
        *(None, ""),
    ),
    "pod security": (
        a_job(),
        {"events": (an_event("job", "FailedCreate", 'violates PodSecurity "restricted"'),)},
        *(Reason.POD_REJECTED, "violates PodSecurity"),
    ),
    "another object's event": (
        a_job(),
        {"events": (an_event("x", "FailedCreate", "violates"),)},
        *(None, ""),
    ),
    "suspended by hand": (
        a_job(suspend=True),
        {},
        *(Reason.HELD_BACK, "Job j is suspended, and names no queue"),
    ),
    "less parallelism, by hand": (
        a_job() | {"spec": {"completions": 2, "parallelism": 0}},
        {},
        *(Reason.HELD_BACK, "Job j has parallelism 0 instead of 2"),
    ),
}


@pytest.mark.parametrize(
    ("job", "seen", "reason", "message"), TROUBLES.values(), ids=TROUBLES.keys()
)
def test_what_keeps_a_job_from_having_its_pods_is_named(
    job: Object, seen: Object, reason: Reason | None, message: str
) -> None:
    found = trouble_in(job, seen)

    assert (found.reason if found else None) is reason
    assert message in (found.message if found else "")


def test_the_newest_refusal_of_a_jobs_pods_tells_what_it_waits_for_now() -> None:
    """In the same words at each try, whose pod has another name."""
    pods = 'pods "j-0-{}" is forbidden: '
    limit, quota = "must be less than or equal to memory limit of 64Mi", "exceeded quota: q"
    tries = [(limit, "x7x9a"), (limit, "b2b2b"), (quota, "c3c3c")]
    events = [
        an_event("job", "FailedCreate", pods.format(pod) + why)
        | {"lastTimestamp": f"2026-01-05T09:0{minute}:00Z"}
        for minute, (why, pod) in enumerate(tries)
    ]

    told = [trouble_of(a_job(), (), Seen({}, (), tuple(events[:n])), NOW) for n in (1, 2, 3)]

    rejected = Trouble(Reason.POD_REJECTED, f'pods "j-*" is forbidden: {limit}')
    exceeded = Trouble(Reason.QUOTA_EXCEEDED, f'pods "j-*" is forbidden: {quota}')
    assert told == [rejected, rejected, exceeded]


def test_a_job_that_no_controller_takes_up_is_told_after_a_while() -> None:
    found = trouble_of(a_job(), (), Seen({}, ()), LATER)

    assert found is not None
    assert (found.reason, "no controller" in found.message) == (Reason.STARTING, True)
    ending = a_job()
    ending["metadata"]["deletionTimestamp"] = NOW.isoformat()
    assert trouble_of(ending, (), Seen({}, ()), LATER) is None
    begun = a_job({"startTime": NOW.replace(minute=1).isoformat()})
    assert trouble_of(begun, (), Seen({}, ()), NOW.replace(minute=1, second=5)) is None


def test_of_a_job_whose_pods_lost_their_label_it_is_said_so() -> None:
    found = trouble_of(a_job({"active": 2}), (), Seen({}, ()), LATER)

    assert found is not None
    assert "has pods, and none of them has the label lccp.io/run=tiny" in found.message


def ending(made: Object, *finalizers: str) -> Object:
    """It, as its deletion waits for those finalizers."""
    told = {"deletionTimestamp": NOW.isoformat(), "finalizers": [*finalizers]}
    return made | {"metadata": made["metadata"] | told}


OWN = ("foregroundDeletion", "batch.kubernetes.io/job-tracking")
KEPT = "is being deleted, and finalizers of other programs keep it: x/y"


@pytest.mark.parametrize(
    ("job", "pods", "told"),
    [
        (ending(a_job(), *OWN, "x/y"), (), f"Job j {KEPT}"),
        (ending(a_job(), *OWN, "x/y"), (a_pod(),), None),
        (ending(a_job(), *OWN), (ending(a_pod("Failed"), *OWN, "x/y"),), f"pod j-0 {KEPT}"),
        (ending(a_job(), *OWN), (), None),
        (a_job(), (a_pod(),), None),
    ],
    ids=["kept", "a pod works", "a pod is kept", "Kubernetes does it", "not deleted"],
)
def test_a_deleted_job_that_another_program_keeps_is_named_once_no_pod_works(
    job: Object, pods: tuple[Object, ...], told: str | None
) -> None:
    found = trouble_in(job, {"pods": pods})

    assert found == (None if told is None else Trouble(Reason.HELD_BACK, told))


@pytest.mark.parametrize(
    ("pods", "now", "told"),
    [
        (("Failed", "Succeeded"), LATER, True),
        (("Failed", "Succeeded"), NOW, False),
        (("Failed", "Running"), LATER, False),
    ],
    ids=["all ended", "just now", "one works"],
)
def test_a_job_whose_ended_pods_no_controller_records_is_told_after_a_while(
    pods: tuple[str, ...], now: datetime, told: bool
) -> None:
    ended = {"containerStatuses": [terminated(137)]}
    made = tuple(a_pod(phase, index, **ended) for index, phase in enumerate(pods))

    found = trouble_in(a_job(), {"pods": made}, now)

    recorded = "all pods of Job j have ended, and no controller has recorded that"
    assert (found is not None and found.message.startswith(recorded)) is told


def test_a_pod_whose_node_knows_no_container_ended_when_it_was_no_longer_ready() -> None:
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": NOW.isoformat()}
    evicted = a_pod("Failed", conditions=[ready])

    assert trouble_in(a_job(), {"pods": (evicted,)}, NOW) is None
    assert trouble_in(a_job(), {"pods": (evicted,)}, LATER) is not None
