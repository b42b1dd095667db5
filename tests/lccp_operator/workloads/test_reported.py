"""Workloads that report have begun, also while a kubelet says that they wait."""

from dataclasses import replace
from datetime import timedelta

import pytest
from operator_world import EVERY_TOKENS, START, heartbeat_of

from lccp.api.objects.report import EvaluationProgress
from lccp.facts.facts import Told
from lccp_operator.facts import Facts
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.reported import as_reported
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training

EVALUATION = Evaluation(EVERY_TOKENS, "intrinsic", 1)
PODS = tuple(Pod(rank, f"{rank + 1:08x}", Phase.PENDING, began_at=START) for rank in range(2))
WAITS = WorkloadState(Phase.PENDING, PODS, pods_expected=2)


def read(workload: Workload, facts: Facts, state: WorkloadState = WAITS) -> WorkloadState:
    return as_reported({workload: state}, facts)[workload]


@pytest.mark.parametrize(
    ("phase", "uid", "begun"),
    [("Training", 1, True), ("Saving", 1, True), ("Starting", 1, False), ("Training", 9, False)],
)
def test_a_gang_works_once_one_of_its_pods_says_so(phase: str, uid: int, begun: bool) -> None:
    """Not if earlier pods of the attempt said so."""
    beat = heartbeat_of(1, EVERY_TOKENS, START, phase=phase)
    facts = Facts(told=(Told(1, beat, None, f"a1-{uid:08x}"),))

    found = read(Training(1), facts)

    assert (found.begun, found.phase is Phase.RUNNING) == (begun, begun)
    assert found.pods_begun == (2 if begun else 0)


@pytest.mark.parametrize(("seconds", "begun"), [(1, True), (-1, False)])
def test_an_evaluator_works_once_it_reports_after_its_pod_was_accepted(
    seconds: int, begun: bool
) -> None:
    at = START + timedelta(seconds=seconds)
    facts = Facts(progress={EVALUATION.key: EvaluationProgress(done=1, total=2, at=at)})

    assert read(EVALUATION, facts).begun is begun
    assert not read(EVALUATION, Facts()).begun
    unaccepted = replace(WAITS, pods=(Pod(0, "a", Phase.PENDING),))
    assert not read(EVALUATION, facts, unaccepted).begun


def test_what_has_ended_or_begun_stays_as_it_is() -> None:
    facts = Facts(told=(Told(1, heartbeat_of(1, 0, START), None, "a1-00000001"),))
    for phase in (Phase.RUNNING, Phase.FAILED):
        state = WorkloadState(phase, (replace(PODS[0], phase=phase),))
        assert read(Training(1), facts, state) is state
