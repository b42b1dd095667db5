"""Jobs, pods, events and Kueue's Workloads, as `WorkloadState`s. Pure."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from lccp.api import labels
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.endings import (
    failure,
    has_begun,
    init_container,
    lost,
    program_failure,
    reports_since,
    terminated,
    told,
)
from lccp_operator.kubernetes.workloads.jobs import QUEUE_LABEL, service_name
from lccp_operator.kubernetes.workloads.naming import check_labelled, workload_named
from lccp_operator.kubernetes.workloads.seen import (
    CHANGES,
    Seen,
    condition_of,
    saved_state,
    silent_node,
)
from lccp_operator.kubernetes.workloads.troubles.job import of_deletion, trouble_of
from lccp_operator.kubernetes.workloads.troubles.told import short
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import TERMINAL, EndingRule, Phase, Pod, WorkloadState

PHASES = {
    "Pending": Phase.PENDING,
    "Running": Phase.RUNNING,
    "Succeeded": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
}
OUT_OF_MEMORY = "OOMKilled"
DEADLINE_EXCEEDED = "DeadlineExceeded"
"""Reason of a Job whose deadline is over, or of a pod with its own deadline."""

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
LOST_AFTER = timedelta(seconds=15)
"""From the end of a pod's grace period: a live kubelet has reported its end by then."""

LINGERS_AFTER = timedelta(seconds=15)
"""From the end of a pod's main container: a sidecar that ends with it has ended by then."""

RULES = (EndingRule.DISRUPTION, EndingRule.CONFIGURATION, EndingRule.NOT_FINITE, EndingRule.OTHER)
"""Rules by their index in the podFailurePolicy (`jobs.failure_rules`)."""

MATCHED = re.compile(r"(exit code (?P<code>\d+) )?matching FailJob rule at index (?P<index>\d+)$")


def states(seen: Seen, now: datetime) -> dict[Workload, WorkloadState]:
    """The workloads at `now` (UTC): those with a Job, and those that only have pods left.

    Raises InvalidInput for a pod whose labels another version of LCCP, or somebody, wrote.
    """
    known = {workload: _state(job, seen, now) for workload, job in seen.jobs.items()}
    return _without_job(seen, now) | known


def _without_job(seen: Seen, now: datetime) -> dict[Workload, WorkloadState]:
    """Workloads whose Job was deleted or lost its labels, while a pod of theirs may still work."""
    jobs = {job["metadata"]["uid"] for job in seen.jobs.values()}
    left: dict[Workload, list[Pod]] = defaultdict(list)
    for pod in seen.pods:
        if _controller_uid(pod) in jobs:
            continue
        workload, found = workload_named("Pod", pod), _pod(pod, seen, now)
        if not found.over:
            check_labelled(pod, workload)
        if workload is not None:
            left[workload].append(found)
    return {
        workload: WorkloadState(_phase_of(pods), tuple(pods), len(pods), deleting=True)
        for workload, pods in left.items()
        if not all(pod.over for pod in pods)
    }


def _state(job: Object, seen: Seen, now: datetime) -> WorkloadState:
    own = tuple(pod for pod in seen.pods if _controller_uid(pod) == job["metadata"]["uid"])
    pods = tuple(_pod(pod, seen, now) for pod in own)
    status, spec = job.get("status", {}), job["spec"]
    phase = _phase(job, pods)
    rule, exit_code = _failure(status.get("conditions", ()))
    if any(pod.get("status", {}).get("reason") == DEADLINE_EXCEEDED for pod in own):
        rule = EndingRule.DEADLINE
    return WorkloadState(
        phase=phase,
        pods=pods,
        pods_expected=spec.get("completions") or 1,
        started_at=_time(status.get("startTime")),
        deleting="deletionTimestamp" in job["metadata"],
        rule=rule,
        exit_code=exit_code,
        trouble=(
            next(of_deletion(job, own), None)
            if phase in TERMINAL
            else trouble_of(job, own, seen, now)
        ),
        log=f"kubectl logs -n {job['metadata']['namespace']} job/{job['metadata']['name']}",
        settings=job["metadata"].get("labels", {}).get(labels.SETTINGS),
        changed=CHANGES in job and phase not in TERMINAL,
        apart=phase not in TERMINAL and _lacks_service(job, seen),
        saved=saved_state(job["metadata"].get("annotations", {})),
    )


def _lacks_service(job: Object, seen: Seen) -> bool:
    if seen.services is None or (job["spec"].get("completions") or 1) == 1:
        return False
    return service_name(job["metadata"]["name"]) not in seen.services


def _phase(job: Object, pods: Collection[Pod]) -> Phase:
    true = {c["type"] for c in job.get("status", {}).get("conditions", ()) if c["status"] == "True"}
    if "Complete" in true:
        return Phase.SUCCEEDED
    if "Failed" in true:
        return Phase.FAILED
    queued = QUEUE_LABEL in job["metadata"].get("labels", {})
    if queued and job["spec"].get("suspend"):
        return Phase.QUEUED
    return _phase_of(pods)


def _phase_of(pods: Collection[Pod]) -> Phase:
    """By the pods: for lingering ones the Job never reports an end."""
    phases = {pod.phase for pod in pods}
    ended = {pod.phase for pod in pods if pod.lingers}
    if Phase.FAILED in ended:
        return Phase.FAILED
    if ended and phases == {Phase.SUCCEEDED}:
        return Phase.SUCCEEDED
    return Phase.RUNNING if Phase.RUNNING in phases else Phase.PENDING


def _failure(conditions: Iterable[Object]) -> tuple[EndingRule | None, int | None]:
    """The rule that failed the Job and the exit code that matched, by its condition.

    The message ends with "failed with exit code C matching FailJob rule at index N". A Job whose
    pods are evicted by a queue fails because of them, unless they are gone at once.
    """
    true = [condition for condition in conditions if condition["status"] == "True"]
    preempted = any(condition["type"] == "Suspended" for condition in true)
    for condition in true:
        if condition["type"] not in ("FailureTarget", "Failed"):
            continue
        if condition.get("reason") == DEADLINE_EXCEEDED:
            return EndingRule.DEADLINE, None
        match = MATCHED.search(condition.get("message", ""))
        if match and int(match["index"]) < len(RULES):
            rule = EndingRule.DISRUPTION if preempted else RULES[int(match["index"])]
            return rule, int(match["code"]) if match["code"] else None
    return None, None


def _pod(pod: Object, seen: Seen, now: datetime) -> Pod:
    status = pod.get("status", {})
    ended = terminated(pod)
    phase = PHASES.get(status.get("phase", ""), Phase.PENDING)
    suite = init_container(status, labels.SUITE)
    suite_ended = suite.get("terminated", {})
    by_node = lost(status, ended) or lost(status, suite_ended)
    program = "" if by_node else program_failure(suite_ended)
    if phase is Phase.PENDING and has_begun(pod):
        phase = Phase.RUNNING
    ended_at = seen.when(pod, ended.get("finishedAt"))
    lingers = phase is Phase.RUNNING and ended_at is not None and now - ended_at > LINGERS_AFTER
    if lingers:
        phase = Phase.FAILED if ended["exitCode"] else Phase.SUCCEEDED
    unexplained = phase is Phase.FAILED and not (program or by_node)
    return Pod(
        index=_index(pod["metadata"]),
        uid=pod["metadata"]["uid"],
        phase=phase,
        began_at=seen.when(pod, status.get("startTime")),
        deleting="deletionTimestamp" in pod["metadata"],
        exit_code=ended.get("exitCode"),
        out_of_memory=OUT_OF_MEMORY in (ended.get("reason"), suite_ended.get("reason")),
        disrupted=bool(by_node) or condition_of(status, "DisruptionTarget").get("status") == "True",
        failure=failure(status, ended) if unexplained else "",
        program=program,
        message=short(ended.get("message", "")),
        silent_node=silent_node(pod) if phase is Phase.RUNNING else "",
        reports_since=seen.when(pod, reports_since(pod)),
        lost=phase not in TERMINAL and _overdue(pod, now),
        lingers=lingers,
        killed=by_node or _killed(status, bool(ended or program), phase),
    )


def _killed(status: Object, began: bool, phase: Phase) -> str:
    return short(told(status)) if began and phase is Phase.FAILED else ""


def _index(meta: Object) -> int:
    index = meta.get("labels", {}).get(INDEX_LABEL, "0")
    if index.isdecimal():
        return int(index)
    raise InvalidInput(
        f"pod {meta['name']} has the label {INDEX_LABEL}={index}, which is no number: nothing is "
        "started while it exists: correct the label, or delete the pod"
    )


def _overdue(pod: Object, now: datetime) -> bool:
    """Its deletion was requested, and its grace period has long been over."""
    by = _time(pod["metadata"].get("deletionTimestamp"))
    return by is not None and now - by > LOST_AFTER


def _controller_uid(pod: Object) -> str | None:
    owners = pod["metadata"].get("ownerReferences", ())
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
