"""The state of a workload, from its pods."""

import pytest

from lccp_operator.workloads.state import Phase, Pod, WorkloadState

RUNNING, PENDING = Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.PENDING)
ENDED, LOST = Pod(0, "a", Phase.FAILED), Pod(1, "b", Phase.RUNNING, lost=True)


@pytest.mark.parametrize(
    ("phase", "pods", "ended"),
    [
        (Phase.FAILED, (), True),
        (Phase.SUCCEEDED, (ENDED,), True),
        (Phase.FAILED, (ENDED, PENDING), False),
        (Phase.RUNNING, (ENDED,), False),
    ],
    ids=["no pods", "ended pods", "a pod that is left", "a Job that goes on"],
)
def test_a_workload_has_ended_once_no_pod_of_it_runs(
    phase: Phase, pods: tuple[Pod, ...], ended: bool
) -> None:
    state = WorkloadState(phase, pods)

    assert (state.ended, state.live) == (ended, not ended)


@pytest.mark.parametrize(
    ("pods", "abandoned"),
    [((ENDED, LOST), True), ((LOST,), True), ((RUNNING, LOST), False), ((ENDED,), False)],
)
def test_a_workload_is_abandoned_once_only_lost_pods_hold_it_up(
    pods: tuple[Pod, ...], abandoned: bool
) -> None:
    assert WorkloadState(Phase.RUNNING, pods).abandoned is abandoned


@pytest.mark.parametrize(
    ("pods", "number", "begun"),
    [((), 0, False), ((PENDING,), 0, False), ((RUNNING, PENDING), 1, True), ((ENDED,), 1, False)],
)
def test_a_workload_has_begun_while_a_pod_of_it_runs(
    pods: tuple[Pod, ...], number: int, begun: bool
) -> None:
    state = WorkloadState(Phase.RUNNING, pods)

    assert (state.pods_begun, state.begun) == (number, begun)
