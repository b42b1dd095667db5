"""Objects with a run's label but no owner, and Jobs whose events are read for what blocks them."""

from typing import Any

import pytest

from lccp_operator.kubernetes.workloads.reading import maker, orphans, unexplained

Object = dict[str, Any]
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
NO_IMAGE = {"image": "none:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
CREATING = {"image": "x:1", "state": {"waiting": {"reason": "ContainerCreating"}}}


def a_job(uid: str, **status: Any) -> Object:
    return {"metadata": {"uid": uid}, "status": status}


def a_pod(uid: str, job: str, phase: str = "Pending", **status: Any) -> Object:
    owner = {"uid": job, "controller": True}
    return {
        "metadata": {"uid": uid, "ownerReferences": [owner]},
        "status": {"phase": phase, **status},
    }


def asked(jobs: list[Object], pods: list[Object]) -> list[str]:
    return [silent["metadata"]["uid"] for silent in unexplained(jobs, pods)]


def made(by: str | None, at: str) -> Object:
    told = {"annotations": {"lccp.io/installation": by}} if by else {}
    return {"metadata": {"uid": at, "creationTimestamp": at, **told}}


def test_the_newest_job_that_tells_it_says_which_installation_made_it() -> None:
    one = made("lccp/one@00000001", "2026-11-28T10:00:00Z")
    two = made("lccp/two@00000002", "2026-11-28T11:00:00Z")
    nobodys = made(None, "2026-11-28T12:00:00Z")

    assert maker([two, one, nobodys]) == "lccp/two@00000002"
    assert maker([nobodys]) is None
    assert maker([]) is None


def test_a_job_without_pods_is_asked() -> None:
    assert asked([a_job("j"), a_job("k")], [a_pod("p", "k", "Running")]) == ["j"]


def test_a_job_that_has_ended_or_is_held_is_not_asked() -> None:
    held, ended = ({"type": name, "status": "True"} for name in ("Suspended", "Failed"))
    assert asked([a_job("j", conditions=[held]), a_job("k", conditions=[ended])], []) == []


def test_a_job_that_a_queue_let_in_is_asked() -> None:
    resumed = {"type": "Suspended", "status": "False"}
    assert asked([a_job("j", conditions=[resumed])], []) == ["j"]


def test_every_silent_pod_of_a_gang_is_asked() -> None:
    """Their nodes differ."""
    gang = [a_pod(f"p{rank}", "j", containerStatuses=[CREATING]) for rank in range(3)]
    assert asked([a_job("j")], gang) == ["p0", "p1", "p2"]


@pytest.mark.parametrize(
    ("phase", "wanted"), [("Running", ["j"]), ("Pending", ["j", "p0", "p1"])], ids=["runs", "pends"]
)
def test_a_job_that_lacks_one_of_its_pods_is_asked(phase: str, wanted: list[str]) -> None:
    job = a_job("j") | {"spec": {"completions": 3}}
    gang = [a_pod(f"p{rank}", "j", phase) for rank in range(3)]

    assert asked([job], gang[:2]) == wanted
    assert "j" not in asked([job], gang)


@pytest.mark.parametrize(
    "status", [{"conditions": [UNSCHEDULABLE]}, {"containerStatuses": [NO_IMAGE]}]
)
def test_a_pod_whose_status_says_why_is_not_asked(status: Object) -> None:
    assert asked([a_job("j")], [a_pod("p", "j", **status)]) == []


def test_a_pod_that_waits_for_the_claim_of_an_ephemeral_volume_is_asked() -> None:
    """Only an event says why nobody makes it."""
    waits = {"message": "waiting for ephemeral volume controller to create the claim"}
    assert asked([a_job("j")], [a_pod("p", "j", conditions=[UNSCHEDULABLE | waits])]) == ["p"]


def test_a_silent_pod_is_asked_beside_one_that_says_why() -> None:
    pods = [a_pod("p", "j", conditions=[UNSCHEDULABLE]), a_pod("q", "j")]
    assert asked([a_job("j")], pods) == ["q"]


@pytest.mark.parametrize(
    ("owners", "status", "wanted"),
    [
        ([], {}, ["job/j"]),
        ([{"uid": "r", "controller": True}], {}, []),
        ([{"uid": "other"}], {}, ["job/j"]),
        ([], {"conditions": [{"type": "Failed", "status": "True"}]}, []),
        ([], {"conditions": [{"type": "FailureTarget", "status": "True"}]}, ["job/j"]),
    ],
)
def test_a_job_that_nobody_controls_is_an_orphan_until_it_ends(
    owners: list[Object], status: Object, wanted: list[str]
) -> None:
    job = {"metadata": {"name": "j", "ownerReferences": owners}, "status": status}

    assert [*orphans([job], [])] == wanted


@pytest.mark.parametrize(("phase", "wanted"), [("Running", ["pod/p"]), ("Succeeded", [])])
def test_so_is_a_pod(phase: str, wanted: list[str]) -> None:
    pod = {"metadata": {"name": "p"}, "status": {"phase": phase}}

    assert [*orphans([], [pod, a_pod("q", "j", phase)])] == wanted
