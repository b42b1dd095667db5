"""What keeps pods from starting is named, by their statuses first, then by their events."""

from datetime import timedelta

import pytest
from seen_objects import LATER, NOW, Told, a_job, a_pod, an_event, trouble_in, waiting

from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import Seen
from lccp_operator.kubernetes.workloads.troubles.job import trouble_of
from lccp_operator.workloads.state import Trouble

READY = {"type": "PodReadyToStartContainers", "status": "True"}
CREATING = waiting("ContainerCreating")
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
FETCHES = {"name": "fetch-checkpoint", "state": {"running": {}}}
SCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "True"}]}
EPHEMERAL = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: waiting for ephemeral volume controller to create "
            'the persistentvolumeclaim "j-0-scratch". not found',
        }
    ]
}
TROUBLES: dict[str, Told] = {
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
        *(Reason.STARTING, "its scheduling gates (spec.schedulingGates) are removed, by the"),
    ),
    "an init container": (
        a_job(),
        {"pods": (a_pod("Pending", initContainerStatuses=[FETCHES]),)},
        *(Reason.STARTING, "init container fetch-checkpoint runs: it fetches the checkpoint; if"),
    ),
    "a quota that an ephemeral volume exceeds": (
        a_job(),
        {
            "pods": (a_pod("Pending", **EPHEMERAL),),
            "events": (
                an_event("pod-0", "FailedBinding", "ephemeral volume scratch: exceeded quota: st"),
            ),
        },
        *(Reason.QUOTA_EXCEEDED, "ephemeral volume scratch: exceeded quota: st"),
    ),
    "an ephemeral volume whose claim is refused": (
        a_job(),
        {
            "pods": (a_pod("Pending", **EPHEMERAL),),
            "events": (an_event("pod-0", "FailedBinding", "ephemeral volume scratch: no"),),
        },
        *(Reason.VOLUME_NOT_MOUNTED, "ephemeral volume scratch: no"),
    ),
    "an ephemeral volume whose claim nobody makes": (
        a_job(),
        {"pods": (a_pod("Pending", **EPHEMERAL),)},
        *(Reason.VOLUME_NOT_MOUNTED, "waiting for ephemeral volume controller"),
    ),
    "devices that nobody claims": (
        a_job(),
        {
            "pods": (a_pod("Pending"),),
            "events": (an_event("pod-0", "FailedResourceClaimCreation", "no such template"),),
        },
        *(Reason.POD_REJECTED, "no such template"),
    ),
    "a claim that was refused at first": (
        a_job(),
        {
            "pods": (a_pod("Pending", **SCHEDULED, startTime=NOW.isoformat()),),
            "events": (an_event("pod-0", "FailedBinding", "exceeded quota: st"),),
        },
        *(None, ""),
    ),
}


@pytest.mark.parametrize(
    ("job", "seen", "reason", "message"), TROUBLES.values(), ids=TROUBLES.keys()
)
def test_what_keeps_a_pod_from_starting_is_named(
    job: Object, seen: Object, reason: Reason | None, message: str
) -> None:
    found = trouble_in(job, seen)

    assert (found.reason if found else None) is reason
    assert message in (found.message if found else "")


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
