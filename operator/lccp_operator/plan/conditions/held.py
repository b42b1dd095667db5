"""The conditions of a run that is not accepted, or held since something of it is not known."""

from collections.abc import Iterable, Mapping

from lccp.api.conditions import OF_EVERY_RUN, Condition, ConditionType, Reason
from lccp_operator.observed import Known, Unknown
from lccp_operator.plan.acceptance import Refusal
from lccp_operator.plan.conditions.findings import Finding, Findings
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import WorkloadState
from lccp_operator.workloads.training import Training

Workloads = Known[Mapping[Workload, WorkloadState]] | Unknown

WORKS = {
    ConditionType.TRAINING: (Training, "no pod of the last attempt", "an attempt"),
    ConditionType.EVALUATING: (Evaluation, "no evaluator", "an evaluator"),
}
"""What works while a condition is True: its kind of workload, and the words for none and one."""

WAITS = frozenset({Reason.QUEUED, Reason.STARTING, Reason.UNSCHEDULABLE})
"""Reasons of workloads that are there, and have yet to begin."""

THEN = "what follows is decided once what Degraded names is mended"


def refused(refusal: Refusal) -> Findings:
    """All conditions of an unaccepted run; it fails, so that nobody waits for it."""
    waiting = Finding("False", Reason.PENDING, "the run is not accepted")
    return dict.fromkeys(OF_EVERY_RUN, waiting) | {
        ConditionType.ACCEPTED: Finding("False", refusal.reason, refusal.message),
        ConditionType.SATURATED: Finding("Unknown", Reason.PENDING, "nothing was measured"),
        ConditionType.DEGRADED: Finding("False", Reason.HEALTHY),
        ConditionType.SUCCEEDED: Finding("False", refusal.reason, refusal.message),
        ConditionType.FAILED: Finding("True", refusal.reason, refusal.message),
    }


def uncertain(
    previous: tuple[Condition, ...],
    refused: tuple[ConditionType, ...],
    reason: Reason,
    why: str,
    workloads: Workloads,
) -> Findings:
    """All conditions while something can't be read: earlier ones stay, Degraded says why.

    But what `workloads` show to work, or to have ended, is not claimed otherwise. `refused` are the
    conditions that are False for this reason.
    """
    unseen = Finding("Unknown", reason, why)
    known = {c.type: Finding(c.status, c.reason, c.message) for c in previous}
    return (
        dict.fromkeys(OF_EVERY_RUN, unseen)
        | known
        | _as_seen(known, workloads, reason)
        | dict.fromkeys(refused, Finding("False", reason, why))
        | {ConditionType.DEGRADED: Finding("True", reason, why)}
    )


def _as_seen(known: Findings, workloads: Workloads, reason: Reason) -> dict[ConditionType, Finding]:
    """What is said instead of earlier conditions that the workloads contradict."""
    if isinstance(workloads, Unknown):
        return {}
    live = {type(workload) for workload, state in workloads.value.items() if state.live}
    work = {type(workload) for workload, state in workloads.value.items() if _works(state)}
    found: dict[ConditionType, Finding] = {}
    for type_, (kind, none, one) in WORKS.items():
        before = known.get(type_)
        claimed = before is not None and before.status == "True"
        if before is not None and (claimed or before.reason in WAITS) and kind not in live:
            found[type_] = Finding("False", reason, f"{none} works any more: {THEN}")
        elif not claimed and kind in work:
            found[type_] = Finding("True", Reason.RUNNING, f"{one} works: {THEN}")
    return found


def _works(state: WorkloadState) -> bool:
    whole = state.begun and state.pods_begun >= state.pods_expected
    return whole and not state.deleting and state.trouble is None


def kept(states: Iterable[WorkloadState]) -> str:
    """What keeps workloads that are deleted, and work no more; empty if nothing does."""
    troubles = (state.trouble for state in states if state.deleting and state.trouble)
    return next((t.message for t in troubles if t.reason is Reason.HELD_BACK), "")
