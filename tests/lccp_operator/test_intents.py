"""The results of one reconcile."""

import pytest
from operator_world import START

from lccp.api.objects.journal import Pinned
from lccp.api.status import LCCPRunStatus
from lccp_operator.intents import (
    ApplyWorkload,
    DeleteWorkload,
    Event,
    EventReason,
    Intent,
    Plan,
    SetFinalizer,
)
from lccp_operator.workloads.training import Training

START_TRAINING = ApplyWorkload(Training(1), Pinned())
TOLD = Event("Normal", EventReason.ACCEPTED, "the run is accepted", START)


@pytest.mark.parametrize(
    ("intents", "applies"),
    [
        ((), False),
        ((SetFinalizer(True), DeleteWorkload(Training(1))), False),
        ((SetFinalizer(True), START_TRAINING), True),
    ],
    ids=["nothing", "another intent", "a workload"],
)
def test_a_plan_knows_whether_it_starts_a_workload(
    intents: tuple[Intent, ...], applies: bool
) -> None:
    assert Plan(intents, LCCPRunStatus()).applies_workloads is applies


def test_an_event_is_a_change_as_an_intent_is() -> None:
    assert Plan((), LCCPRunStatus()).changes_nothing
    assert not Plan((START_TRAINING,), LCCPRunStatus()).changes_nothing
    assert not Plan((), LCCPRunStatus(), events=(TOLD,)).changes_nothing
