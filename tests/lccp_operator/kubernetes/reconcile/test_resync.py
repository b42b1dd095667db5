"""When a run is only polled, and when it is reconciled in full."""

from dataclasses import replace
from typing import Any

import pytest
from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    START,
    World,
    a_small_run,
    conditions,
    manifest_of,
)

from lccp.api.status import LCCPRunStatus
from lccp_operator.facts import Facts
from lccp_operator.intents import Plan
from lccp_operator.kubernetes.reconcile import resync as resyncs
from lccp_operator.kubernetes.reconcile.resync import IDLE_SECONDS, LONGEST_SECONDS, Resync
from lccp_operator.observed import Known, Observed, Unknown
from lccp_operator.plan.finish import POLL_SECONDS
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training

QUIET = Plan((), LCCPRunStatus(), requeue_after_seconds=POLL_SECONDS)


def a_workload(workload: Workload, phase: Phase) -> tuple[Workload, WorkloadState]:
    return workload, WorkloadState(phase, (Pod(0, "pod", phase),))


def observed(*workloads: tuple[Workload, WorkloadState]) -> Observed:
    return Observed(Known(dict(workloads)), Known(Facts()))


HALF = WorkloadState(
    Phase.RUNNING, (Pod(0, "a", Phase.RUNNING), Pod(1, "b", Phase.PENDING)), pods_expected=2
)
TRAINS = observed(a_workload(Training(1), Phase.RUNNING))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(resyncs.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("plan", "seen"),
    [
        (QUIET, observed(a_workload(Training(1), Phase.PENDING))),
        (QUIET, observed((Training(1), HALF))),
        (QUIET, observed(a_workload(Evaluation(1), Phase.RUNNING))),
        (QUIET, replace(TRAINS, store=Unknown(START, "silent"))),
        (QUIET, replace(TRAINS, workloads=Unknown(START, "silent"))),
        (replace(QUIET, requeue_after_seconds=5.0), TRAINS),
    ],
    ids=[
        "a workload waits",
        "a pod of the gang waits",
        "an evaluator works",
        "no store",
        "no workloads",
        "asked sooner",
    ],
)
def test_a_run_that_may_change_has_no_resync(plan: Plan, seen: Observed) -> None:
    assert Resync.of(plan, seen) is None


@pytest.mark.parametrize(
    "seen",
    [
        TRAINS,
        observed(a_workload(Training(1), Phase.FAILED), a_workload(Training(2), Phase.RUNNING)),
    ],
)
def test_a_run_whose_gang_trains_is_polled(seen: Observed) -> None:
    assert Resync.of(QUIET, seen) is not None


def test_polls_grow_rarer_up_to_a_bound(clock: list[float]) -> None:
    resync: Any = Resync.of(QUIET, TRAINS)

    waits = [resync.next_poll() for _ in range(6)]

    assert waits == sorted(waits)
    assert waits[0] > POLL_SECONDS
    assert waits[-1] == LONGEST_SECONDS


def test_a_resync_is_due_when_something_of_the_run_is(clock: list[float]) -> None:
    resync: Any = Resync.of(replace(QUIET, due_after_seconds=70.0), TRAINS)
    clock[0] += 50

    assert not resync.is_due
    assert resync.next_poll() == 20
    clock[0] += 20
    assert resync.is_due


def test_a_finished_run_is_polled_seldom_and_never_due(clock: list[float]) -> None:
    plan = replace(QUIET, requeue_after_seconds=None, idle=True)
    resync: Any = Resync.of(plan, observed())
    clock[0] += 1e9

    assert not resync.is_due
    assert resync.next_poll() == IDLE_SECONDS


def test_a_refused_run_looks_again_whether_what_lies_in_its_way_is_gone(clock: list[float]) -> None:
    world = World(a_small_run(), NEVER)
    left = KEYS.checkpoint_manifest(EVERY_TOKENS)
    world.store.put(left, manifest_of(EVERY_TOKENS).to_json())
    world.reconcile()
    refused = world.reconcile()
    assert conditions(world.run)["Accepted"] == ("False", "StoreHoldsAnotherRun")
    resync: Any = Resync.of(refused, world.observed())
    assert resync.next_poll() == IDLE_SECONDS

    world.store.delete(left)
    clock[0] += IDLE_SECONDS

    assert resync.is_due
    world.reconcile()
    assert conditions(world.run)["Accepted"] == ("True", "Valid")
