"""Workloads as they are read from Jobs, pods, events and Workloads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.workloads.seen import Seen
from lccp_operator.kubernetes.workloads.states import states
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.state import Phase, Rule, Trouble, WorkloadState
from lccp_operator.workloads.training import Training

Object = dict[str, Any]
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
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
        "metadata": {"name": "j", "namespace": "default", "uid": "job", "labels": own},
        "spec": {"completions": 2, "suspend": suspend},
        "status": {"conditions": told} | (status or {}),
    }


def a_pod(phase: str = "Running", index: int = 0, owner: str = "job", **status: Any) -> Object:
    return {
        "metadata": {
            "uid": f"pod-{index}",
            "labels": {"batch.kubernetes.io/job-completion-index": str(index)},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "status": {"phase": phase, **status},
    }


def terminated(code: int, reason: str = "Error", message: str = "") -> Object:
    ended = {"exitCode": code, "reason": reason, "message": message}
    return {"state": {"terminated": ended}, "image": "x"}


def waiting(reason: str, message: str = "") -> Object:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"state": state, "image": "x:1", "name": "trainer"}


def an_event(uid: str, reason: str, message: str) -> Object:
    return {"involvedObject": {"uid": uid}, "reason": reason, "message": message}


def state(job: Object, *pods: Object, **seen: tuple[Object, ...]) -> WorkloadState:
    (only,) = states(Seen((job,), pods, **seen), NOW).values()
    return only


@pytest.mark.parametrize(
    ("component", "facts", "workload"),
    [
        (labels.TRAINER, {"attempt": "3"}, Training(3)),
        (
            labels.EVALUATOR,
            {"tokens": "000000000008192", "suite": "intrinsic", "try": "2"},
            Evaluation(8_192, number=2),
        ),
        (labels.PURGER, {}, Purge()),
        ("another", {}, None),
    ],
    ids=["trainer", "evaluator", "purger", "none"],
)
def test_a_job_is_known_by_its_labels(
    component: str, facts: dict[str, str], workload: Workload | None
) -> None:
    own = labels.of_workload("tiny", component, **facts)
    job = a_job() | {"metadata": a_job()["metadata"] | {"labels": own}}
    assert list(states(Seen((job,), ()), NOW)) == ([workload] if workload else [])


def test_labels_of_another_version_are_named() -> None:
    own = labels.of_workload("tiny", labels.EVALUATOR, tokens="000000000008192", **{"try": "1"})
    job = a_job() | {"metadata": a_job()["metadata"] | {"labels": own}}

    with pytest.raises(InvalidInput, match=r"labels of another version.*'suite'.*delete it"):
        states(Seen((job,), ()), NOW)


def test_a_job_of_another_is_no_workload() -> None:
    assert states(Seen(({"metadata": {"name": "theirs"}, "spec": {}},), ()), NOW) == {}


PHASES = {
    "no pod yet": (a_job(), (), Phase.PENDING),
    "a pod that waits": (a_job(), (a_pod("Pending"),), Phase.PENDING),
    "a pod that runs": (a_job(), (a_pod("Pending"), a_pod("Running", 1)), Phase.RUNNING),
    "a pod of another job": (a_job(), (a_pod(owner="x"),), Phase.PENDING),
    "complete": (a_job(conditions={"Complete": ""}), (), Phase.SUCCEEDED),
    "failed": (a_job(conditions={"Failed": ""}), (), Phase.FAILED),
    "about to fail": (a_job(conditions={"FailureTarget": ""}), (a_pod(),), Phase.RUNNING),
    "in a queue": (a_job(suspend=True, **QUEUE), (), Phase.QUEUED),
    "admitted": (a_job(**QUEUE), (a_pod(),), Phase.RUNNING),
    "suspended, but by no queue": (a_job(suspend=True), (), Phase.PENDING),
}


@pytest.mark.parametrize(("job", "pods", "phase"), PHASES.values(), ids=PHASES.keys())
def test_a_phase_is_that_of_the_job_and_its_pods(
    job: Object, pods: tuple[Object, ...], phase: Phase
) -> None:
    assert state(job, *pods).phase is phase


RULE = "Container trainer for pod x failed with exit code 64 matching FailJob rule at index {}"
RULES = {
    "disruption": ({"Failed": "PodFailurePolicy"}, RULE.format(0), Rule.DISRUPTION),
    "configuration": ({"Failed": "PodFailurePolicy"}, RULE.format(1), Rule.CONFIGURATION),
    "not finite": ({"FailureTarget": "PodFailurePolicy"}, RULE.format(2), Rule.NOT_FINITE),
    "the rest": ({"Failed": "PodFailurePolicy"}, RULE.format(3), Rule.OTHER),
    "the rest, since a queue took its pods away": (
        {"Suspended": "JobSuspended", "Failed": "PodFailurePolicy"},
        *(RULE.format(3), Rule.DISRUPTION),
    ),
    "one that is not ours": ({"Failed": "PodFailurePolicy"}, RULE.format(9), None),
    "deadline": ({"Failed": "DeadlineExceeded"}, "", Rule.DEADLINE),
    "no rule": ({"Failed": "BackoffLimitExceeded"}, "", None),
    "no failure": ({"Complete": "CompletionsReached"}, RULE.format(1), None),
}


@pytest.mark.parametrize(("conditions", "message", "rule"), RULES.values(), ids=RULES.keys())
def test_the_rule_that_matched_is_read(
    conditions: dict[str, str], message: str, rule: Rule | None
) -> None:
    assert state(a_job(conditions=conditions, message=message)).rule is rule


def test_the_exit_code_that_matched_is_read() -> None:
    failed = {"Failed": "PodFailurePolicy"}
    disrupted = "Pod ns/x has condition DisruptionTarget matching FailJob rule at index 0"

    assert state(a_job(conditions=failed, message=RULE.format(1))).exit_code == 64
    assert state(a_job(conditions=failed, message=disrupted)).exit_code is None


@pytest.mark.parametrize(
    ("phase", "seconds", "lost"),
    [("Running", 16, True), ("Pending", 16, True), ("Running", 14, False), ("Failed", 60, False)],
)
def test_a_pod_that_has_not_ended_long_after_its_grace_period_is_lost(
    phase: str, seconds: int, lost: bool
) -> None:
    pod = a_pod(phase)
    pod["metadata"]["deletionTimestamp"] = (NOW - timedelta(seconds=seconds)).isoformat()

    (found,) = state(a_job(), pod).pods

    assert found.lost is lost


def test_a_pod_says_how_it_ended() -> None:
    disrupted = {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}
    killed = a_pod("Failed", 1, containerStatuses=[terminated(137, "OOMKilled")], **disrupted)
    killed["metadata"]["deletionTimestamp"] = "2026-01-05T09:00:00Z"

    first, second = state(a_job(), a_pod("Running"), killed).pods

    assert (first.index, first.exit_code, first.out_of_memory, first.disrupted) == (
        *(0, None, False, False),
    )
    assert (second.index, second.exit_code, second.phase) == (1, 137, Phase.FAILED)
    assert second.out_of_memory
    assert second.disrupted
    assert second.deleting


def a_workload(reason: str, message: str) -> Object:
    condition = {"type": "QuotaReserved", "status": "False", "reason": reason, "message": message}
    owner = {"uid": "job", "controller": True}
    return {"metadata": {"ownerReferences": [owner]}, "status": {"conditions": [condition]}}


READY = {"type": "PodReadyToStartContainers", "status": "True"}
CREATING = waiting("ContainerCreating")
QUEUED = a_job(suspend=True, **QUEUE)
LET_IN, ENDED, ELSEWHERE = a_job(**QUEUE), a_job(conditions={"Failed": ""}, **QUEUE), a_job()
LET_IN["metadata"]["name"] = "first-train-a1"
UNSCHEDULABLE = {
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}
    ]
}
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
    "a queue that is held": (
        QUEUED,
        {"kueue_workloads": (a_workload("Inadmissible", "ClusterQueue c is inactive"),)},
        *(Reason.QUEUED, "queue research: ClusterQueue c is inactive"),
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
    (found,) = states(Seen((job,), **{"pods": (), **seen}), NOW).values()

    if reason is None:
        assert found.trouble is None
    else:
        assert isinstance(found.trouble, Trouble)
        assert found.trouble.reason is reason
        assert message in found.trouble.message


def test_a_workload_that_ended_has_no_trouble() -> None:
    job = a_job(conditions={"Failed": ""})
    events = (an_event("job", "FailedCreate", "exceeded quota"),)

    assert state(job, events=events).trouble is None


INIT = {"name": "fetch", "state": {"terminated": {"exitCode": 3}}}
OUT_OF_SPACE = {"exitCode": 1, "message": "no space left"}
UNBEGUN = {
    "rejected": (
        {"reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu"},
        "OutOfcpu: Node didn't have enough resource: cpu",
    ),
    "without a message": ({"reason": "UnexpectedAdmissionError"}, "UnexpectedAdmissionError"),
    "init container": (
        {"initContainerStatuses": [INIT], "containerStatuses": [waiting("PodInitializing")]},
        "init container fetch ended with exit code 3",
    ),
    "init container with a message": (
        {"initContainerStatuses": [{"name": "a", "state": {"terminated": OUT_OF_SPACE}}]},
        "init container a ended with exit code 1: no space left",
    ),
    "a command that is not there": (
        {"containerStatuses": [terminated(128, "StartError", "exec: lccp-trian: not found")]},
        "StartError: exec: lccp-trian: not found",
    ),
    "main container": ({"containerStatuses": [terminated(70)], "reason": "x"}, ""),
}


@pytest.mark.parametrize(("status", "failure"), UNBEGUN.values(), ids=UNBEGUN.keys())
def test_a_pod_that_failed_before_its_main_container_says_why(status: Object, failure: str) -> None:
    failed = state(a_job(conditions={"Failed": "BackoffLimitExceeded"}), a_pod("Failed", **status))
    assert failed.pods[0].failure == failure
