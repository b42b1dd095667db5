"""The goal of a run's training."""

from dataclasses import replace
from typing import Any

import pytest
from a_context import ACCEPTED, a_context, an_attempt
from operator_world import BUDGET_TOKENS, EVERY_TOKENS, START, checkpoint_of

from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.objects.journal import StopRecord
from lccp_operator.facts import Facts
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Aim, counted_failures, final_failure, goal

COMPLETE = Facts(checkpoints={BUDGET_TOKENS: checkpoint_of(BUDGET_TOKENS)})
HELD = StopRecord(reason="Saturated", action="Suspend", at_tokens=EVERY_TOKENS, decided_at=START)
STOPPED = HELD.model_copy(update={"action": "Stop"})
OVERDUE = STOPPED.model_copy(update={"reason": "DeadlineExceeded"})
SUSPENDED = {"suspend": True}


def aim(context: Context) -> tuple[Aim, Reason]:
    found = goal(context)
    return found.aim, found.reason


def test_a_run_trains_unless_something_is_against_it() -> None:
    assert aim(a_context()) == (Aim.TRAIN, Reason.RUNNING)
    assert aim(a_context(spec=SUSPENDED)) == (Aim.HOLD, Reason.SUSPENDED_BY_USER)
    assert aim(a_context(facts=COMPLETE)) == (Aim.END, Reason.COMPLETED)


@pytest.mark.parametrize(
    ("stop", "found"),
    [
        (HELD, (Aim.HOLD, Reason.SATURATED)),
        (STOPPED, (Aim.END, Reason.SATURATED)),
        (OVERDUE, (Aim.FAIL, Reason.DEADLINE_EXCEEDED)),
    ],
    ids=["held", "stopped", "overdue"],
)
def test_a_stop_rules_over_a_suspension(stop: StopRecord, found: tuple[Aim, Reason]) -> None:
    assert aim(a_context(spec=SUSPENDED, journal={"stop": stop})) == found


def test_a_trained_budget_rules_over_everything() -> None:
    failed = an_attempt(1, Cause.CONFIGURATION, counted=True)
    context = a_context(failed, spec=SUSPENDED, facts=COMPLETE, journal={"stop": OVERDUE})

    assert aim(context) == (Aim.END, Reason.COMPLETED)


def test_a_final_failure_rules_over_a_hold_and_not_over_a_stop() -> None:
    failed = an_attempt(1, Cause.CONFIGURATION, counted=True)

    assert aim(a_context(failed, journal={"stop": HELD}))[0] is Aim.FAIL
    assert aim(a_context(failed, journal={"stop": STOPPED}))[0] is Aim.END


@pytest.mark.parametrize(
    ("cause", "policy", "reason"),
    [
        (Cause.CONFIGURATION, {"maxRestarts": 9}, Reason.CONFIGURATION),
        (Cause.NOT_FINITE, {"maxRestarts": 9}, Reason.NOT_FINITE),
        (Cause.NOT_FINITE, {"maxRestarts": 9, "retryNotFinite": True}, None),
        (Cause.INTERNAL, {"maxRestarts": 1}, None),
        (Cause.INTERNAL, {"maxRestarts": 0}, Reason.RESTARTS_EXHAUSTED),
    ],
)
def test_a_failure_is_final_by_its_cause_or_once_the_restarts_are_used_up(
    cause: Cause, policy: dict[str, Any], reason: Reason | None
) -> None:
    failed = an_attempt(1, cause, counted=True, message="exit code 70")
    found = final_failure(a_context(failed, spec={"restartPolicy": policy}))

    assert (found and found.reason) == reason
    if found is not None:
        assert found.message.startswith(f"attempt 1 ended as {cause}: exit code 70: ")
        exhausted = reason is Reason.RESTARTS_EXHAUSTED
        assert found.message.endswith("raise restartPolicy.maxRestarts") == exhausted


def test_of_an_attempt_past_its_deadline_the_advice_is_not_about_evaluations_alone() -> None:
    failed = an_attempt(1, Cause.DEADLINE, counted=True)
    found = final_failure(a_context(failed, spec={"restartPolicy": {"maxRestarts": 0}}))

    assert found is not None
    assert "of an attempt the one in topology.podTemplate or on its Job" in found.message


def test_failures_before_this_run_object_and_disruptions_do_not_count() -> None:
    attempts = (
        an_attempt(1, Cause.INTERNAL),
        an_attempt(2, Cause.DISRUPTED),
        an_attempt(3, Cause.INTERNAL),
    )
    adopted = ACCEPTED.model_copy(update={"earlier_attempts": 1})

    assert [a.number for a in counted_failures(a_context(*attempts))] == [1, 3]
    later = a_context(*attempts)
    later = replace(later, journal=later.noted(accepted=adopted))
    assert [a.number for a in counted_failures(later)] == [3]
