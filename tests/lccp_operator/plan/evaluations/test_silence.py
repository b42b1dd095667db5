"""Evaluators that run, but report nothing, or seem lost, but report."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from attempted_world import CLOCKS
from evaluated_world import FIRST, a_world, begun, outcome
from operator_world import KEYS, World, manifest_of, report_of

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType
from lccp.api.labels import INTRINSIC
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress
from lccp_operator.observed import Known
from lccp_operator.plan.attempts.waits import HEARD_SECONDS
from lccp_operator.plan.evaluations.silence import SILENT_SECONDS
from lccp_operator.plan.finish import POLL_SECONDS
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import Phase, Pod, WorkloadState


def evaluating(world: World) -> str:
    """The message of the condition."""
    assert world.run.status is not None
    told = {c.type: c.message for c in world.run.status.conditions}
    return told[ConditionType.EVALUATING]


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

    told = evaluating(world)
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

    states = world.observed().workloads
    assert isinstance(states, Known)
    evaluated = states.value | {Evaluation(FIRST, INTRINSIC): state}
    plan = world.reconcile(replace(world.observed(), workloads=Known(evaluated)))

    told = evaluating(world)
    since = f"has reported nothing since {at:%Y-%m-%d %H:%M:%S} UTC: it can't reach the store"
    assert (since in told) is silent
    assert plan.requeue_after_seconds == (1 if beats and not silent else POLL_SECONDS)


def tell(world: World, done: int, beats: bool = True, off: timedelta = timedelta()) -> None:
    """The first evaluation reports, by a clock that is ahead by `off`."""
    progress = EvaluationProgress(done=done, total=9, at=world.now + off, beats=beats)
    world.store.put(KEYS.evaluation_progress(FIRST, INTRINSIC), progress.to_json())


def lose(world: World, beats: bool) -> None:
    """The pod of the first evaluation, which has just reported, is lost, and then gone."""
    world.reconcile()
    tell(world, 3, beats)
    pod = Pod(0, "a", Phase.RUNNING, deleting=True, lost=True)
    gone = Known({Evaluation(FIRST): WorkloadState(Phase.RUNNING, (pod,))})
    world.reconcile(replace(world.observed(), workloads=gone))
    world.workers.clear()


def orphan(world: World, beats: bool) -> None:
    """The pod of the first evaluation, which has just reported, loses its Job and its labels."""
    world.reconcile()
    tell(world, 3, beats)
    world.reconcile()
    world.workers.clear()


def strip(world: World, beats: bool) -> None:
    """The same, of its second try: the first one has failed."""
    world.reconcile()
    world.evaluate(code=70)
    world.reconcile()
    world.workers.clear()
    world.pass_time(600)
    orphan(world, beats)


@pytest.mark.parametrize("off", CLOCKS)
@pytest.mark.parametrize("restarted", [False, True], ids=["the same operator", "another operator"])
@pytest.mark.parametrize(("vanish", "number"), [(lose, 1), (orphan, 1), (strip, 2)])
def test_nothing_is_begun_beside_an_evaluator_that_nobody_sees_but_that_reports(
    vanish: Callable[[World, bool], None], number: int, restarted: bool, off: timedelta
) -> None:
    world = a_world()
    vanish(world, True)
    world.pass_time(HEARD_SECONDS)
    for done in range(4, 7):
        world.pass_time(5)
        tell(world, done, off=off)
        if restarted:
            world.restart_operator()
        decided = world.reconcile()
        assert begun(decided) == []
        assert decided.due_after_seconds in (HEARD_SECONDS, SILENT_SECONDS)
    told = "no other is begun until its progress has not changed for 20 s"
    assert told in evaluating(world)

    world.pass_time(SILENT_SECONDS)
    assert begun(world.reconcile()) == [Evaluation(FIRST, number=number)]
    assert told not in evaluating(world)


@pytest.mark.parametrize("says", [True, False])
def test_one_that_says_that_it_has_ended_is_not_waited_for(says: bool) -> None:
    """What its pod's status says, anybody may have written."""
    world = a_world(policy={"backoffSeconds": 1})
    world.reconcile()
    tell(world, 3)
    world.reconcile()
    world.evaluate(code=70)
    if says:
        cause = Cause.INTERNAL
        word = EvaluationFailure(cause=cause, message="no", exit_code=70, at=world.now)
        world.store.put(KEYS.evaluation_failure(FIRST, INTRINSIC), word.to_json())
    world.reconcile()
    world.workers.clear()

    world.pass_time(1)
    assert begun(world.reconcile()) == ([Evaluation(FIRST, number=2)] if says else [])
    world.pass_time(SILENT_SECONDS)
    assert begun(world.reconcile()) == ([] if says else [Evaluation(FIRST, number=2)])


def test_the_report_of_an_evaluator_that_seemed_lost_counts() -> None:
    world = a_world()
    lose(world, beats=True)
    world.store.put(KEYS.report(FIRST, INTRINSIC), report_of(manifest_of(FIRST)).to_json())

    assert begun(world.reconcile()) == []
    recorded = outcome(world)
    assert recorded is not None
    assert recorded.result == "Succeeded"


@pytest.mark.parametrize(("beats", "by_command"), [(False, False), (True, True)])
def test_one_that_says_nothing_for_long_or_is_a_process_of_a_command_is_not_waited_for(
    beats: bool, by_command: bool
) -> None:
    world = a_world()
    lose(world, beats)

    decided = world.plan(replace(world.observed(), by_command=by_command))
    assert begun(decided) == [Evaluation(FIRST, number=1)]


@pytest.mark.parametrize(("reports", "silent"), [(15, True), (14, False), (None, False)])
def test_a_suite_whose_program_has_ended_without_a_report_is_named(
    reports: float | None, silent: bool
) -> None:
    world = a_world()
    since = None if reports is None else world.now - timedelta(seconds=reports)
    pod = Pod(0, "a", Phase.RUNNING, began_at=world.now - timedelta(days=1), reports_since=since)
    state = WorkloadState(Phase.RUNNING, (pod,))

    world.reconcile(replace(world.observed(), workloads=Known({Evaluation(FIRST, "exams"): state})))

    told = evaluating(world)
    assert ("its program has ended; if this lasts, it can't reach the store" in told) is silent
