"""Workloads that report to the store have begun, whatever their nodes say of them yet.

A kubelet calls a container waiting until its `postStart` hook has ended.
"""

from collections.abc import Mapping
from dataclasses import replace

from lccp_operator.facts import Facts
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, WorkloadState
from lccp_operator.workloads.training import Training


def as_reported(
    workloads: Mapping[Workload, WorkloadState], facts: Facts
) -> Mapping[Workload, WorkloadState]:
    """The workloads; the pods of those that report that they work are running."""
    return {
        workload: _begun(state) if _works(workload, state, facts) else state
        for workload, state in workloads.items()
    }


def _works(workload: Workload, state: WorkloadState, facts: Facts) -> bool:
    if all(pod.phase is not Phase.PENDING for pod in state.pods):
        return False
    if isinstance(workload, Training):
        return not state.writers(workload.attempt).isdisjoint(_at_work(facts))
    if isinstance(workload, Evaluation):
        return _evaluates(workload, state, facts)
    return False


def _at_work(facts: Facts) -> set[str]:
    """Writers whose whole gang has met: all its processes have begun."""
    beats = {one.writer: one.heartbeat for one in facts.told if one.heartbeat is not None}
    return {writer for writer, beat in beats.items() if beat.phase != "Starting"}


def _evaluates(evaluation: Evaluation, state: WorkloadState, facts: Facts) -> bool:
    """It reported after its pod was accepted; the try before it had ended by then.

    If that one's node had a clock that is ahead, this one is taken for begun too early: it is then
    not made again for other settings.
    """
    progress = facts.progress.get(evaluation.key)
    accepted = [pod.began_at for pod in state.pods if pod.began_at is not None]
    return progress is not None and bool(accepted) and progress.at > max(accepted)


def _begun(state: WorkloadState) -> WorkloadState:
    pods = (
        replace(pod, phase=Phase.RUNNING) if pod.phase is Phase.PENDING else pod
        for pod in state.pods
    )
    phase = Phase.RUNNING if state.phase is Phase.PENDING else state.phase
    return replace(state, pods=tuple(pods), phase=phase)
