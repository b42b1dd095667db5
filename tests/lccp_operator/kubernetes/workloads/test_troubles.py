"""Whatever blocks a workload is named, in the order in which it must be solved."""

from datetime import timedelta

import pytest
from seen_objects import GANG, NOW, QUEUE, a_job, a_pod, an_event, waiting

from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import Seen
from lccp_operator.kubernetes.workloads.troubles import MESSAGE_LENGTH_MAX, trouble_of
from lccp_operator.workloads.state import Trouble


def a_workload(reason: str, message: str) -> Object:
    condition = {"type": "QuotaReserved", "status": "False", "reason": reason, "message": message}
    owner = {"uid": "job", "controller": True}
    return {"metadata": {"ownerReferences": [owner]}, "status": {"conditions": [condition]}}


READY = {"type": "PodReadyToStartContainers", "status": "True"}
CREATING = waiting("ContainerCreating")
QUEUED = a_job(suspend=True, **QUEUE)
LET_IN, ENDED, ELSEWHERE = a_job(**QUEUE), a_job(conditions={"Failed": ""}, **QUEUE), a_job()
LET_IN["metadata"] |= {"name": "first-train-a1", "uid": "first"}
UNSCHEDULABLE = {
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}
    ]
}
NO_CLAIM = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": '0/3 nodes are available: persistentvolumeclaim "data" not found',
        }
    ]
}
GATED = {
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gates"}
    ]
}
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
FETCHES = {"name": "fetch-checkpoint", "state": {"running": {}}}
TROUBLES: dict[str, tuple[Object, Object, Reason | None, str]] = {
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
    "image": (
        a_job(),
        {"pods": (a_pod("Pending", containerStatuses=[waiting("ErrImagePull", "not found")]),)},
        *(Reason.IMAGE_UNAVAILABLE, "x:1: not found"),
    ),
    "secret as environment": (
        a_job(),
        {
            "pods": (
                a_pod(
                    "Pending",
                    containerStatuses=[
                        waiting("CreateContainerConfigError", 'secret "s" not found')
                    ],
                ),
            )
        },
        *(Reason.MISSING_SECRET, 'container trainer: CreateContainerConfigError: secret "s"'),
    ),
    "image of an init container": (
        a_job(),
        {
            "pods": (
                a_pod(
                    "Pending",
                    initContainerStatuses=[waiting("ErrImagePull", "not found")],
                    containerStatuses=[waiting("PodInitializing")],
                ),
            )
        },
        *(Reason.IMAGE_UNAVAILABLE, "x:1: not found"),
    ),
    "config map as environment": (
        a_job(),
        {
            "pods": (
                a_pod(
                    "Pending",
                    containerStatuses=[
                        waiting("CreateContainerConfigError", 'configmap "c" not found')
                    ],
                ),
            )
        },
        *(Reason.MISSING_CONFIG_MAP, 'configmap "c" not found'),
    ),
    "a user that may not run": (
        a_job(),
        {
            "pods": (
                a_pod(
                    "Pending",
                    containerStatuses=[
                        waiting("CreateContainerConfigError", "image will run as root")
                    ],
                ),
            )
        },
        *(Reason.CONTAINER_NOT_STARTED, "image will run as root"),
    ),
    "a runtime that refuses": (
        a_job(),
        {
            "pods": (
                a_pod(
                    "Pending",
                    containerStatuses=[
                        waiting("CreateContainerError", "no"),
                    ],
                ),
            )
        },
        *(Reason.CONTAINER_NOT_STARTED, "container trainer: CreateContainerError: no"),
    ),
    "config map as volume": (
        a_job(),
        {
            "pods": (a_pod("Pending", containerStatuses=[CREATING]),),
            "events": (an_event("pod-0", "FailedMount", 'configmap "data" not found'),),
        },
        *(Reason.MISSING_CONFIG_MAP, 'configmap "data" not found'),
    ),
    "a volume that does not mount": (
        a_job(),
        {
            "pods": (a_pod("Pending", containerStatuses=[CREATING]),),
            "events": (an_event("pod-0", "FailedMount", "mount.nfs: Connection timed out"),),
        },
        *(Reason.VOLUME_NOT_MOUNTED, "mount.nfs: Connection timed out"),
    ),
    "a volume that does not attach": (
        a_job(),
        {
            "pods": (a_pod("Pending"),),
            "events": (an_event("pod-0", "FailedAttachVolume", "Multi-Attach error"),),
        },
        *(Reason.VOLUME_NOT_MOUNTED, "Multi-Attach error"),
    ),
    "no network": (
        a_job(),
        {
            "pods": (a_pod("Pending"),),
            "events": (an_event("pod-0", "FailedCreatePodSandBox", "cni plugin: no address"),),
        },
        *(Reason.CONTAINER_NOT_STARTED, "cni plugin: no address"),
    ),
    "a volume that did not mount at first": (
        a_job(),
        {
            "pods": (a_pod("Pending", containerStatuses=[CREATING], conditions=[READY]),),
            "events": (an_event("pod-0", "FailedMount", 'secret "s3" not found'),),
        },
        *(None, ""),
    ),
    "secret as volume": (
        a_job(),
        {
            "pods": (a_pod("Pending"),),
            "events": (an_event("pod-0", "FailedMount", 'secret "s3" not found'),),
        },
        *(Reason.MISSING_SECRET, 'secret "s3" not found'),
    ),
    "no node": (
        a_job(),
        {"pods": (a_pod("Pending", **UNSCHEDULABLE),)},
        *(Reason.UNSCHEDULABLE, "0/3"),
    ),
    "a claim that is not there": (
        a_job(),
        {"pods": (a_pod("Pending", **NO_CLAIM),)},
        *(Reason.VOLUME_NOT_MOUNTED, 'persistentvolumeclaim "data" not found'),
    ),
    "a gate of the scheduler": (
        a_job(),
        {"pods": (a_pod("Pending", **GATED),)},
        *(Reason.UNSCHEDULABLE, "gates"),
    ),
    "an init container": (
        a_job(),
        {"pods": (a_pod("Pending", initContainerStatuses=[FETCHES]),)},
        *(Reason.STARTING, "init container fetch-checkpoint runs: it fetches the checkpoint; if"),
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
def test_what_keeps_a_workload_from_running_is_named(
    job: Object, seen: Object, reason: Reason | None, message: str
) -> None:
    pods = seen.get("pods", ())

    found = trouble_of(job, pods, Seen({GANG: job}, **{"pods": (), **seen}), NOW)

    if reason is None:
        assert found is None
    else:
        assert found is not None
        assert found.reason is reason
        assert message in found.message


def test_a_long_message_is_one_line_of_500_characters() -> None:
    pod = a_pod("Pending", containerStatuses=[waiting("ErrImagePull", "a\n  b" + "c" * 900)])

    found = trouble_of(a_job(), (pod,), Seen({}, (pod,)), NOW)

    assert found is not None
    assert found.message.startswith("x:1: a bccc")
    assert len(found.message) == MESSAGE_LENGTH_MAX


def test_an_image_is_told_alike_while_it_is_pulled_and_between_two_tries() -> None:
    """The kubelet goes to and fro between the two, and each change would be written."""
    tried = waiting("ErrImagePull", 'failed to pull "x:1": not found')
    waits = waiting(
        "ImagePullBackOff",
        'Back-off pulling image "x:1": ErrImagePull: failed to pull "x:1": not found',
    )
    pods = [a_pod("Pending", containerStatuses=[status]) for status in (tried, waits)]

    told = [trouble_of(a_job(), (pod,), Seen({}, (pod,)), NOW) for pod in pods]

    assert told[0] == told[1]
    assert told[0] is not None
    assert told[0].message == 'x:1: failed to pull "x:1": not found'


def test_the_newest_event_of_a_pod_tells_what_it_waits_for_now() -> None:
    pod = a_pod("Pending")
    older = an_event("pod-0", "FailedMount", 'secret "s3" not found')
    newer = an_event("pod-0", "FailedCreatePodSandBox", "no address")
    first, later = ({"lastTimestamp": f"2026-01-05T09:0{minute}:00Z"} for minute in range(2))

    found = trouble_of(a_job(), (pod,), Seen({}, (pod,), (older | first, newer | later)), NOW)

    assert found == Trouble(Reason.CONTAINER_NOT_STARTED, "no address")


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


LATER = NOW + timedelta(seconds=16)
SCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "True"}]}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"schedulerName": "nope"},
            "pod j-0 waits for scheduler nope, which has not seen it: check that it runs, or "
            "correct podTemplate.spec.schedulerName",
        ),
        ({"nodeName": "n9"}, "pod j-0 is assigned to node n9, which has not picked it up"),
    ],
)
def test_a_pod_that_nobody_takes_up_is_told_after_a_while(spec: Object, message: str) -> None:
    pod = a_pod("Pending") | {"spec": spec}

    found = trouble_of(a_job(), (pod,), Seen({}, (pod,)), LATER)

    assert found == Trouble(Reason.STARTING, message)
    assert trouble_of(a_job(), (pod,), Seen({}, (pod,)), NOW) is None
    taken_up = a_pod("Pending", **SCHEDULED, startTime=NOW.isoformat())
    assert trouble_of(a_job(), (taken_up,), Seen({}, (taken_up,)), LATER) is None


@pytest.mark.parametrize(("seconds", "told"), [(14, False), (16, True)])
def test_a_scheduled_pod_that_its_kubelet_does_not_take_up_is_told_after_a_while(
    seconds: int, told: bool
) -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": LATER.isoformat()}
    pod = a_pod("Pending", conditions=[scheduled]) | {"spec": {"nodeName": "n9"}}
    later = LATER + timedelta(seconds=seconds)

    found = trouble_of(a_job(), (pod,), Seen({}, (pod,)), later)

    message = "pod j-0 is assigned to node n9, which has not picked it up"
    assert found == (Trouble(Reason.STARTING, message) if told else None)


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
