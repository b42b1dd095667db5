"""The embedded engine's run object: its state, and its events."""

from datetime import UTC, datetime

import pytest
from operator_world import a_small_run

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.status import LCCPRunStatus
from lccp_operator.embedded.run_object import RunObject
from lccp_operator.intents import Event, EventReason

NOW = datetime(2026, 11, 28, tzinfo=UTC)
EVENT = Event("Normal", EventReason.ACCEPTED, "done", NOW)


def _with(*true: ConditionType) -> RunObject:
    conditions = tuple(
        Condition(type=type_, status="True", reason=Reason.COMPLETED, last_transition_time=NOW)
        for type_ in true
    )
    held = RunObject.applied(a_small_run())
    held.write_status(held.current, LCCPRunStatus(conditions=conditions))
    return held


def test_a_run_that_is_applied_anew_is_another_object_without_a_status() -> None:
    first, second = (RunObject.applied(a_small_run()).current for _ in range(2))
    assert first.metadata.uid != second.metadata.uid
    assert (first.metadata.generation, first.status) == (1, None)
    assert first.spec == second.spec


@pytest.mark.parametrize(
    ("true", "state"),
    [
        ((), "Interrupted"),
        ((ConditionType.SUSPENDED,), "Suspended"),
        ((ConditionType.SUSPENDED, ConditionType.SUCCEEDED), "Succeeded"),
        ((ConditionType.SUCCEEDED, ConditionType.FAILED), "Failed"),
    ],
)
def test_its_conditions_say_how_it_ended(true: tuple[ConditionType, ...], state: str) -> None:
    assert _with(*true).state == state


def test_events_are_taken_once() -> None:
    held = _with()
    held.post(held.current, EVENT)
    assert held.take_events() == (EVENT,)
    assert held.take_events() == ()
