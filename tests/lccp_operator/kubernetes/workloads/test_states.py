"""Workloads as read from Jobs, pods, events and Workloads."""

from datetime import UTC, datetime, timedelta

import pytest
from attempted_world import CLOCKS
from seen_objects import GANG, NOW, QUEUE, a_job, a_pod, an_event, terminated, waiting

from lccp.api import labels
from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.contract.errors import InvalidInput
from lccp_operator.hearing import Hearing
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.endings import kubelet_times
from lccp_operator.kubernetes.workloads.seen import KubeletTime, Seen
from lccp_operator.kubernetes.workloads.states import states
from lccp_operator.workloads.endings import Ending, failure
from lccp_operator.workloads.state import EndingRule, Phase, Pod, SavedState, WorkloadState
from lccp_operator.workloads.training import Training


def state(job: Object, *pods: Object, **seen: tuple[Object, ...]) -> WorkloadState:
    (only,) = states(Seen({GANG: job}, pods, **seen), NOW).values()
    return only


def test_a_job_says_what_settings_it_was_made_from() -> None:
    own = labels.of_workload("tiny", labels.PURGER) | {labels.SETTINGS: "1a2b"}
    job = a_job() | {"metadata": a_job()["metadata"] | {"labels": own}}
    assert state(job).settings == "1a2b"


@pytest.mark.parametrize(
    ("told", "saved"),
    [
        ({labels.LAST_STATE_AT: "2026-01-05T09:00:00Z", labels.LAST_STATE_TOKENS: "8"}, True),
        ({labels.LAST_STATE_AT: "yesterday", labels.LAST_STATE_TOKENS: "8"}, False),
        ({labels.LAST_STATE_AT: "0001-01-01T00:00+01:00", labels.LAST_STATE_TOKENS: "8"}, False),
        ({labels.LAST_STATE_AT: "2026-01-05T09:00:00Z"}, False),
        ({}, False),
    ],
    ids=["told", "edited by hand", "before all time", "in part", "not told"],
)
def test_a_job_says_which_state_its_gang_saved_last(told: dict[str, str], saved: bool) -> None:
    job = a_job() | {"metadata": a_job()["metadata"] | {"annotations": told}}
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert state(job).saved == (SavedState(8, at) if saved else None)


def test_a_pod_whose_index_is_no_number_is_named() -> None:
    pod = a_pod("Running")
    pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] = "first"

    with pytest.raises(InvalidInput, match=r"pod j-0 has the label .*=first, which is no number"):
        states(Seen({GANG: a_job()}, (pod,)), NOW)


@pytest.mark.parametrize(
    ("phase", "job", "held"),
    [
        ("Running", "tiny-train-a1", True),
        ("Pending", "tiny-train-a1", True),
        ("Failed", "tiny-train-a1", False),
        ("Running", "somebodys", False),
    ],
    ids=["runs", "begins", "ended", "of another Job"],
)
def test_a_pod_without_job_and_kind_is_named_while_it_works(
    phase: str, job: str, held: bool
) -> None:
    pod = a_pod(phase, owner="gone")
    pod["metadata"]["namespace"] = "default"
    pod["metadata"]["ownerReferences"][0] |= {"kind": "Job", "name": job}
    del pod["metadata"]["labels"][labels.COMPONENT]

    if held:
        with pytest.raises(InvalidInput, match="pod j-0 of the deleted Job tiny-train-a1 has lost"):
            states(Seen({}, (pod,)), NOW)
    else:
        assert states(Seen({}, (pod,)), NOW) == {}


@pytest.mark.parametrize(("phase", "held"), [("Running", True), ("Failed", False)])
def test_a_pod_that_was_given_another_runs_label_is_named(phase: str, held: bool) -> None:
    pod = a_pod(phase, owner="another's")
    pod["metadata"]["namespace"] = "default"
    pod["metadata"]["ownerReferences"][0] |= {"kind": "Job", "name": "other-train-a1"}

    if held:
        told = r"Job other-train-a1 has the label lccp.io/run=tiny, which is not that of its Job"
        with pytest.raises(InvalidInput, match=told):
            states(Seen({}, (pod,)), NOW)
    else:
        assert states(Seen({}, (pod,)), NOW) == {}


PHASES = {
    "no pod yet": (a_job(), (), Phase.PENDING),
    "a pod that waits": (a_job(), (a_pod("Pending"),), Phase.PENDING),
    "a pod that runs": (a_job(), (a_pod("Pending"), a_pod("Running", 1)), Phase.RUNNING),
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
    "disruption": ({"Failed": "PodFailurePolicy"}, RULE.format(0), EndingRule.DISRUPTION),
    "configuration": ({"Failed": "PodFailurePolicy"}, RULE.format(1), EndingRule.CONFIGURATION),
    "not finite": ({"FailureTarget": "PodFailurePolicy"}, RULE.format(2), EndingRule.NOT_FINITE),
    "the rest": ({"Failed": "PodFailurePolicy"}, RULE.format(3), EndingRule.OTHER),
    "the rest, since a queue took its pods away": (
        {"Suspended": "JobSuspended", "Failed": "PodFailurePolicy"},
        *(RULE.format(3), EndingRule.DISRUPTION),
    ),
    "one that is not ours": ({"Failed": "PodFailurePolicy"}, RULE.format(9), None),
    "deadline": ({"Failed": "DeadlineExceeded"}, "", EndingRule.DEADLINE),
    "no rule": ({"Failed": "BackoffLimitExceeded"}, "", None),
    "no failure": ({"Complete": "CompletionsReached"}, RULE.format(1), None),
}


@pytest.mark.parametrize(("conditions", "message", "rule"), RULES.values(), ids=RULES.keys())
def test_the_rule_that_matched_is_read(
    conditions: dict[str, str], message: str, rule: EndingRule | None
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


@pytest.mark.parametrize(
    ("phase", "ready", "containers", "silent"),
    [
        ("Running", {"status": "False"}, "True", True),
        ("Running", {"status": "True"}, "True", False),
        ("Running", {"status": "False", "reason": "ContainersNotReady"}, "False", False),
        ("Running", {"status": "False", "reason": "ReadinessGatesNotReady"}, "True", False),
        ("Failed", {"status": "False"}, "True", False),
    ],
    ids=["silent", "ready", "a container is not", "a gate is not", "ended"],
)
def test_a_pod_names_its_node_if_that_is_silent(
    phase: str, ready: dict[str, str], containers: str, silent: bool
) -> None:
    pod = a_pod(phase)
    pod["spec"]["nodeName"] = "node-3"
    told = [ready | {"type": "Ready"}, {"type": "ContainersReady", "status": containers}]
    pod["status"]["conditions"] = told

    (found,) = state(a_job(), pod).pods

    assert found.silent_node == ("node-3" if silent else "")


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


@pytest.mark.parametrize("reason", ["Unknown", "ContainerStatusUnknown"])
def test_a_container_that_a_restarted_node_lost_was_disrupted(reason: str) -> None:
    found = state(a_job(), a_pod("Failed", containerStatuses=[terminated(255, reason)]))

    assert failure(found) is Cause.DISRUPTED
    ending = Ending.of(failure(found), found)
    assert not ending.counted
    assert ending.message.endswith(f": its node was restarted, and lost it ({reason})")


def test_a_suite_that_a_restarted_node_lost_was_disrupted() -> None:
    suite = [terminated(255, "Unknown") | {"name": labels.SUITE}]
    found = state(a_job(), a_pod("Failed", initContainerStatuses=suite))

    assert failure(found) is Cause.DISRUPTED
    assert "exit code" not in Ending.of(failure(found), found).message


@pytest.mark.parametrize("statuses", ["containerStatuses", "initContainerStatuses"])
def test_a_pod_that_exceeds_its_own_limit_was_not_disrupted(statuses: str) -> None:
    """Its kubelet may no longer know the container; uncounted, it would restart without end."""
    name = labels.TRAINER if statuses == "containerStatuses" else labels.SUITE
    unknown = terminated(137, "ContainerStatusUnknown", name=name)
    why = {"reason": "Evicted", "message": "Pod ephemeral local storage usage exceeds 2Gi"}
    found = state(a_job(), a_pod("Failed", **why, **{statuses: [unknown]}))

    ending = Ending.of(failure(found), found)
    assert ending.counted
    assert f"Evicted: {why['message']}" in ending.message
    assert "restarted" not in ending.message


@pytest.mark.parametrize(
    "statuses",
    [
        {"containerStatuses": [terminated(137, "ContainerStatusUnknown")]},
        {"containerStatuses": [terminated(137)]},
        {},
        {"initContainerStatuses": [terminated(137) | {"name": labels.SUITE}]},
    ],
    ids=["unknown", "ended", "no status left", "a suite's program"],
)
def test_a_pod_that_a_kubelet_under_pressure_rejects_was_disrupted(statuses: Object) -> None:
    message = "Pod was rejected: The node had condition: [DiskPressure]. "
    found = state(a_job(), a_pod("Failed", reason="Evicted", message=message, **statuses))

    ending = Ending.of(failure(found), found)
    assert (ending.cause, ending.counted) == (Cause.DISRUPTED, False)
    assert "Evicted: Pod was rejected: The node had condition: [DiskPressure]." in ending.message
    assert "before its processes began" not in ending.message


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


PROXY = {"name": "istio-proxy", "state": {"running": {}}}
SOON, LATER = NOW + timedelta(seconds=14), NOW + timedelta(seconds=16)


def beside_a_proxy(code: int, index: int = 0) -> Object:
    """A pod whose main container ended at NOW, and in which another one runs on."""
    return a_pod("Running", index, containerStatuses=[PROXY, terminated(code)])


@pytest.mark.parametrize(
    ("codes", "phase", "stuck"),
    [((0, 0), Phase.SUCCEEDED, False), ((0, 70), Phase.FAILED, True)],
    ids=["all well", "one failed"],
)
def test_a_workload_ends_with_its_main_containers_whatever_runs_beside_them(
    codes: tuple[int, ...], phase: Phase, stuck: bool
) -> None:
    seen = Seen({GANG: a_job()}, tuple(beside_a_proxy(code, i) for i, code in enumerate(codes)))

    (soon,), (later,) = states(seen, SOON).values(), states(seen, LATER).values()

    assert (soon.phase, soon.ended, soon.lingers) == (Phase.RUNNING, False, False)
    assert (later.phase, later.ended, later.stuck) == (phase, True, stuck)
    assert later.lingers, "its nodes are held"
    assert later.live


@pytest.mark.parametrize("off", CLOCKS)
def test_a_container_lingers_from_when_its_end_was_seen_whatever_its_nodes_clock(
    off: timedelta,
) -> None:
    hearing: Hearing[KubeletTime] = Hearing()

    def looked(at: datetime, *containers: Object) -> Pod:
        began = (NOW + off - timedelta(minutes=5)).isoformat()
        pod = a_pod("Running", startTime=began, containerStatuses=list(containers))
        pod["metadata"]["creationTimestamp"] = (NOW - timedelta(minutes=5)).isoformat()
        heard = {k: one.at for k, one in hearing.heard(kubelet_times([pod]), at).items()}
        (only,) = states(Seen({GANG: a_job()}, (pod,), heard=heard), at).values()
        return only.pods[0]

    looked(NOW - timedelta(seconds=1))
    ended = terminated(0)
    ended["state"]["terminated"]["finishedAt"] = (NOW + off).isoformat()
    assert not looked(NOW, ended).lingers
    assert not looked(NOW + timedelta(seconds=15), ended).lingers
    assert looked(NOW + timedelta(seconds=16), ended).lingers


@pytest.mark.parametrize("off", CLOCKS)
def test_a_pod_began_after_it_was_created_and_before_it_is_seen(off: timedelta) -> None:
    told, created = (NOW + off).isoformat(), NOW - timedelta(seconds=1)
    pod = a_pod("Running", startTime=told)
    pod["metadata"]["creationTimestamp"] = created.isoformat()

    heard = Hearing[KubeletTime]().heard(kubelet_times([pod]), NOW)
    (only,) = states(
        Seen({GANG: a_job()}, (pod,), heard={k: one.at for k, one in heard.items()}), NOW
    ).values()

    assert only.pods[0].began_at in (created, NOW)


def test_a_failed_pod_that_lingers_ends_a_gang_of_which_others_work() -> None:
    seen = Seen({GANG: a_job()}, (beside_a_proxy(70), a_pod("Running", 1)))
    (found,) = states(seen, LATER).values()
    assert (found.phase, found.ended, found.stuck) == (Phase.FAILED, False, True)


def test_the_end_of_a_container_beside_the_main_one_says_nothing_of_the_work() -> None:
    pod = a_pod("Running", containerStatuses=[terminated(1, name="agent")])
    (found,) = states(Seen({GANG: a_job()}, (pod,)), LATER).values()
    assert (found.phase, found.pods[0].exit_code) == (Phase.RUNNING, None)


def test_pods_whose_job_is_gone_are_a_workload_until_they_end() -> None:
    seen = Seen({}, (a_pod("Running", 0, "gone"), a_pod("Succeeded", 1, "gone")))

    (workload,) = states(seen, NOW)

    found = states(seen, NOW)[workload]
    assert (workload, found.phase) == (Training(1), Phase.RUNNING)
    assert (found.deleting, found.live, found.pods_expected) == (True, True, 2)


@pytest.mark.parametrize("ended", [a_pod("Failed", 0, "gone"), a_pod("Succeeded", 0, "gone")])
def test_of_pods_that_ended_and_whose_job_is_gone_nothing_is_left(ended: Object) -> None:
    assert states(Seen({}, (ended,)), NOW) == {}


def test_a_lost_pod_whose_job_is_gone_holds_up_nothing() -> None:
    pod = a_pod("Running", 0, "gone")
    pod["metadata"]["deletionTimestamp"] = (NOW - timedelta(seconds=16)).isoformat()
    assert states(Seen({}, (pod,)), NOW) == {}


def test_a_pod_that_its_node_ended_tells_why() -> None:
    evicted = {"reason": "Evicted", "message": 'Usage of EmptyDir volume "big" exceeds 1Mi.'}
    pod = a_pod("Failed", containerStatuses=[terminated(137)], **evicted)
    (found,) = state(a_job(conditions={"Failed": "PodFailurePolicy"}), pod).pods
    assert (found.failure, found.killed) == ("", f"Evicted: {evicted['message']}")


def test_the_deadline_of_a_pod_is_one_of_its_workload() -> None:
    failed = {"Failed": "PodFailurePolicy"}
    pod = a_pod("Failed", containerStatuses=[terminated(75)], reason="DeadlineExceeded")
    assert state(a_job(conditions=failed, message=RULE.format(3)), pod).rule is EndingRule.DEADLINE


def before(name: str, state: Object, phase: str) -> Object:
    """A pod of whose init containers that one is in `state`."""
    return a_pod(phase, initContainerStatuses=[{"name": name, "state": state}])


def test_a_pod_runs_as_soon_as_the_program_of_its_external_suite_does() -> None:
    fetches = before(labels.FETCH, {"running": {}}, "Pending")
    runs = before(labels.SUITE, {"running": {}}, "Pending")
    over = before(labels.SUITE, {"terminated": {"exitCode": 0}}, "Pending")

    assert [state(a_job(), pod).pods_begun for pod in (fetches, runs, over)] == [0, 1, 1]


@pytest.mark.parametrize("main", [{"running": {}}, {"terminated": {"exitCode": 0}}])
def test_a_pod_runs_as_soon_as_its_main_container_does(main: Object) -> None:
    """Its phase is Pending until the image of each container is there."""
    beside = waiting("ImagePullBackOff", "not found") | {"name": "beside"}
    own = {"name": labels.TRAINER, "state": main}
    works = a_pod("Pending", containerStatuses=[own, beside])
    waits = a_pod("Pending", containerStatuses=[waiting("ContainerCreating"), beside])

    found = [state(a_job(), pod) for pod in (works, waits)]

    assert [one.pods_begun for one in found] == [1, 0]
    assert {one.trouble.reason for one in found if one.trouble} == {Reason.IMAGE_UNAVAILABLE}


def test_a_program_that_failed_is_told_with_its_last_words() -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": "KeyError: 'acc'"}
    failed = state(a_job(), before(labels.SUITE, {"terminated": ended}, "Failed"))
    killed = state(
        a_job(), before(labels.SUITE, {"terminated": ended | {"reason": "OOMKilled"}}, "Failed")
    )

    assert failed.pods[0].program == "the suite's program ended with exit code 1: KeyError: 'acc'"
    assert (failed.pods[0].exit_code, failed.pods[0].failure) == (None, "")
    assert (failed.pods[0].out_of_memory, killed.pods[0].out_of_memory) == (False, True)


def test_what_fetches_for_an_external_suite_ends_it_as_the_evaluator_would() -> None:
    ended = {"exitCode": 64, "message": "file a: is damaged"}

    (pod,) = state(a_job(), before(labels.FETCH, {"terminated": ended}, "Failed")).pods

    assert (pod.exit_code, pod.message) == (64, "file a: is damaged")


def test_an_importer_ends_as_its_container_did() -> None:
    ended = terminated(64, "Error") | {"name": "importer"}
    ended["state"]["terminated"]["message"] = "there is no such folder"

    (found,) = state(a_job(), a_pod("Failed", containerStatuses=[ended])).pods

    assert (found.exit_code, found.message) == (64, "there is no such folder")


@pytest.mark.parametrize(
    ("services", "size", "ended", "apart"),
    [
        (frozenset(), 2, False, True),
        (frozenset({"j"}), 2, False, False),
        (frozenset(), 1, False, False),
        (frozenset(), 2, True, False),
        (None, 2, False, False),
    ],
    ids=["gone", "there", "one pod", "ended", "not read"],
)
def test_a_gang_whose_service_is_gone_is_apart(
    services: frozenset[str] | None, size: int, ended: bool, apart: bool
) -> None:
    job = a_job(conditions={"Complete": ""} if ended else None)
    job["spec"]["completions"] = size

    (state,) = states(Seen({GANG: job}, (), services=services), NOW).values()

    assert state.apart is apart


def test_an_ended_job_that_another_program_keeps_says_so() -> None:
    job = a_job(conditions={"Complete": ""})
    job["metadata"] |= {"deletionTimestamp": NOW.isoformat(), "finalizers": ["x/y"]}

    (state,) = states(Seen({GANG: job}, ()), NOW).values()

    assert state.trouble is not None
    assert state.trouble.message.endswith("programs keep it: x/y")
