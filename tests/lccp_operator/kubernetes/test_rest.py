"""When a run is looked at cheaply, and when in full again."""

from dataclasses import replace
from typing import Any

import pytest
from operator_world import START

from lccp.api.status import LCCPRunStatus
from lccp_operator.children import Child, Evaluation, Training
from lccp_operator.intents import Plan
from lccp_operator.kubernetes import rest as rests
from lccp_operator.kubernetes.rest import AT_REST_SECONDS, LONGEST_SECONDS, Rest
from lccp_operator.observed import ChildState, Facts, Known, Observed, Phase, Pod, Unknown
from lccp_operator.plan.finish import POLL_SECONDS

QUIET = Plan((), LCCPRunStatus(), look_again_after_seconds=POLL_SECONDS)


def a_child(child: Child, phase: Phase) -> ChildState:
    return ChildState(child, phase, (Pod(0, "pod", phase),))


def observed(*children: ChildState) -> Observed:
    return Observed(Known(children), Known(Facts()))


TRAINS = observed(a_child(Training(1), Phase.RUNNING))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(rests.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("plan", "seen"),
    [
        (QUIET, observed(a_child(Training(1), Phase.PENDING))),
        (QUIET, observed(a_child(Evaluation(1), Phase.RUNNING))),
        (QUIET, replace(TRAINS, store=Unknown(START, "silent"))),
        (QUIET, replace(TRAINS, children=Unknown(START, "silent"))),
        (replace(QUIET, look_again_after_seconds=5.0), TRAINS),
    ],
    ids=["a child waits", "an evaluator works", "no store", "no children", "asked sooner"],
)
def test_a_run_is_not_at_rest(plan: Plan, seen: Observed) -> None:
    assert Rest.of(plan, seen) is None


@pytest.mark.parametrize(
    "seen",
    [TRAINS, observed(a_child(Training(1), Phase.FAILED), a_child(Training(2), Phase.RUNNING))],
)
def test_a_gang_that_trains_leaves_a_run_at_rest(seen: Observed) -> None:
    assert Rest.of(QUIET, seen) is not None


def test_polls_grow_rarer_up_to_a_bound(clock: list[float]) -> None:
    rest: Any = Rest.of(QUIET, TRAINS)

    waits = [rest.prolong() for _ in range(6)]

    assert waits == sorted(waits)
    assert waits[0] > POLL_SECONDS
    assert waits[-1] == LONGEST_SECONDS


def test_a_rest_ends_when_something_is_due(clock: list[float]) -> None:
    rest: Any = Rest.of(replace(QUIET, due_after_seconds=70.0), TRAINS)
    clock[0] += 50

    assert rest.lasts
    assert rest.prolong() == 20
    clock[0] += 20
    assert not rest.lasts


def test_a_finished_run_is_polled_seldom_and_never_due(clock: list[float]) -> None:
    plan = replace(QUIET, look_again_after_seconds=None, at_rest=True)
    rest: Any = Rest.of(plan, observed())
    clock[0] += 1e9

    assert rest.lasts
    assert rest.prolong() == AT_REST_SECONDS
