"""Evaluators that run, but report nothing, or nothing any more."""

from dataclasses import replace
from datetime import timedelta

import pytest
from evaluated_world import FIRST, a_world
from operator_world import KEYS

from lccp.api.conditions import ConditionType
from lccp.api.labels import INTRINSIC
from lccp.api.objects.report import EvaluationProgress
from lccp_operator.observed import Known
from lccp_operator.plan.finish import POLL_SECONDS
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import Phase, Pod, WorkloadState


@pytest.mark.parametrize(
    ("runs", "heard", "suite", "silent"),
    [
        (15, None, INTRINSIC, True),
        (14, None, INTRINSIC, False),
        (90, 1, INTRINSIC, False),
        (90, -1, INTRINSIC, True),
        (90, None, "exams", False),
    ],
    ids=["nothing", "not yet", "it reports", "an earlier try's report", "a program of a user"],
)
def test_an_evaluator_that_runs_and_reported_nothing_is_named_with_its_log(
    runs: float, heard: float | None, suite: str, silent: bool
) -> None:
    world = a_world()
    workload, began = Evaluation(FIRST, suite), world.now - timedelta(seconds=runs)
    if heard is not None:
        at = began + timedelta(seconds=heard)
        progress = EvaluationProgress(done=0, total=9, at=at)
        world.store.put(KEYS.evaluation_progress(FIRST, suite), progress.to_json())
        world.restart_operator()
    pod = Pod(0, "a", Phase.RUNNING, began_at=began)
    state = WorkloadState(Phase.RUNNING, (pod,), log="kubectl logs job/tiny")

    world.reconcile(replace(world.observed(), workloads=Known({workload: state})))

    assert world.run.status is not None
    told = {c.type: c.message for c in world.run.status.conditions}[ConditionType.EVALUATING]
    assert ("reported nothing yet" in told) is silent
    why = "its node is gone, or it can't reach the store: see its log (kubectl logs job/tiny)"
    assert (why in told) is silent


@pytest.mark.parametrize(
    ("ago", "beats", "silent"),
    [(20, True, True), (19, True, False), (600, False, False)],
    ids=["silent", "between two beats", "an older one, in a long pass"],
)
def test_an_evaluator_that_reports_nothing_any_more_is_named_with_the_time(
    ago: float, beats: bool, silent: bool
) -> None:
    world = a_world()
    at, began = world.now - timedelta(seconds=ago), world.now - timedelta(seconds=3_600)
    progress = EvaluationProgress(done=3, total=9, at=at, beats=beats)
    world.store.put(KEYS.evaluation_progress(FIRST, INTRINSIC), progress.to_json())
    world.restart_operator()
    pod = Pod(0, "a", Phase.RUNNING, began_at=began)
    state = WorkloadState(Phase.RUNNING, (pod,), log="kubectl logs job/tiny")

    plan = world.reconcile(
        replace(world.observed(), workloads=Known({Evaluation(FIRST, INTRINSIC): state}))
    )

    assert world.run.status is not None
    told = {c.type: c.message for c in world.run.status.conditions}[ConditionType.EVALUATING]
    since = f"has reported nothing since {at:%Y-%m-%d %H:%M:%S} UTC: it can't reach the store"
    assert (since in told) is silent
    assert plan.requeue_after_seconds == (1 if beats and not silent else POLL_SECONDS)


@pytest.mark.parametrize(("reports", "silent"), [(15, True), (14, False), (None, False)])
def test_a_suite_whose_program_has_ended_without_a_report_is_named(
    reports: float | None, silent: bool
) -> None:
    world = a_world()
    since = None if reports is None else world.now - timedelta(seconds=reports)
    pod = Pod(0, "a", Phase.RUNNING, began_at=world.now - timedelta(days=1), reports_since=since)
    state = WorkloadState(Phase.RUNNING, (pod,))

    world.reconcile(replace(world.observed(), workloads=Known({Evaluation(FIRST, "exams"): state})))

    assert world.run.status is not None
    told = {c.type: c.message for c in world.run.status.conditions}[ConditionType.EVALUATING]
    assert ("its program has ended; if this lasts, it can't reach the store" in told) is silent
