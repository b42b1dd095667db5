"""Metrics of the run objects, as Prometheus would read them."""

import pytest
from a_run import START
from prometheus_client import CollectorRegistry, generate_latest
from scraped import Scraped

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.status import LCCPRunStatus
from lccp_operator.kubernetes.run_states import RunStates
from lccp_operator.kubernetes.workloads.seen import RunKey

KEY = RunKey("team", "tiny")
LABELS = {"namespace": "team", "run": "tiny"}
SERIES_MAX = 16
"""Of one run object."""


def status(of: str = "False", reason: Reason = Reason.QUEUED) -> LCCPRunStatus:
    training = Condition(
        type=ConditionType.TRAINING,
        status=of,  # type: ignore[arg-type]
        reason=reason,
        last_transition_time=START,
    )
    return LCCPRunStatus(conditions=(training,))


def scraped(states: RunStates) -> Scraped:
    registry = CollectorRegistry()
    registry.register(states)
    return Scraped.text(generate_latest(registry).decode())


@pytest.mark.parametrize(("of", "value"), [("True", 1), ("False", 0), ("Unknown", -1)])
def test_a_condition_is_told_with_its_reason(of: str, value: float) -> None:
    states = RunStates(lambda: True)
    states.note(KEY, status(of), None)
    told = scraped(states)
    labels = {**LABELS, "type": "Training", "reason": "Queued"}
    assert told.value("lccp_run_condition", **labels) == value
    assert told.samples("lccp_run_deletion_timestamp_seconds") == []


def test_a_new_status_takes_the_place_of_the_old_one() -> None:
    states = RunStates(lambda: True)
    states.note(KEY, status(), None)
    states.note(KEY, status("True", Reason.RUNNING), START)
    told = scraped(states)
    assert [s.labels["reason"] for s in told.samples("lccp_run_condition")] == ["Running"]
    assert [s.labels["summary"] for s in told.samples("lccp_run_summary")] == ["Training"]
    assert told.value("lccp_run_deletion_timestamp_seconds", **LABELS) == START.timestamp()


def test_of_a_run_that_another_installation_carries_out_that_alone_is_told() -> None:
    states = RunStates(lambda: True)
    states.note(KEY, status(), START, left_to="lccp/one@1")
    told = scraped(states)
    assert told.value("lccp_run_left_alone", **LABELS, installation="lccp/one@1") == 1
    assert told.samples("lccp_run_condition") == told.samples("lccp_run_summary") == []
    assert told.value("lccp_run_deletion_timestamp_seconds", **LABELS) == START.timestamp()


def test_a_finished_run_of_another_installation_needs_nobody() -> None:
    states = RunStates(lambda: True)
    finished = status().model_copy(update={"completion_time": START})
    states.note(KEY, finished, None, left_to="lccp/one@1")
    assert [s for family in scraped(states).families for s in family.samples] == []


def test_a_run_that_is_gone_has_no_series_but_that_it_is_gone() -> None:
    states = RunStates(lambda: True)
    states.note(KEY, status(), START)
    states.forget(KEY)
    found = [s.name for family in scraped(states).families for s in family.samples]
    assert found == ["lccp_run_deleted"]


def test_a_replica_that_does_not_lead_tells_nothing() -> None:
    states = RunStates(lambda: False)
    states.note(KEY, status(), START)
    assert [s for family in scraped(states).families for s in family.samples] == []


def test_a_run_object_has_few_series() -> None:
    every = tuple(
        Condition(type=kind, status="True", reason=Reason.PENDING, last_transition_time=START)
        for kind in ConditionType
    )
    states = RunStates(lambda: True)
    states.note(KEY, LCCPRunStatus(conditions=every), START)
    count = sum(len(family.samples) for family in scraped(states).families)
    assert len(every) < count <= SERIES_MAX


def test_a_deleted_run_is_told_for_ten_minutes_unless_it_is_there_again() -> None:
    now = 0.0
    states = RunStates(lambda: True, lambda: now)
    states.forget(KEY)
    assert scraped(states).samples("lccp_run_deleted") == []

    states.note(KEY, status(), None)
    states.forget(KEY)
    now = 599
    told = scraped(states)
    assert told.value("lccp_run_deleted", **LABELS) == 1
    assert told.samples("lccp_run_condition") == []
    now = 600
    assert scraped(states).samples("lccp_run_deleted") == []


def test_a_run_is_told_as_deleted_by_whoever_leads_next() -> None:
    """It never reconciled the run, but has watched, or looked through the store."""
    leads = False
    states = RunStates(lambda: leads)
    states.note_deleted(KEY)
    assert scraped(states).samples("lccp_run_deleted") == []
    leads = True
    assert scraped(states).value("lccp_run_deleted", **LABELS) == 1


@pytest.mark.parametrize("again_at", [1, 599, 601])
def test_a_run_that_is_there_again_is_told_as_long_as_rules_look_back(again_at: float) -> None:
    """The last value would else be that it is gone, and hide what is wrong with it."""
    now = 0.0
    states = RunStates(lambda: True, lambda: now)
    states.note(KEY, status(), None)
    states.forget(KEY)
    now = again_at
    states.note(KEY, status(), None)
    assert scraped(states).value("lccp_run_deleted", **LABELS) == 0
    now = 899
    assert scraped(states).value("lccp_run_deleted", **LABELS) == 0
    now = 900
    assert scraped(states).samples("lccp_run_deleted") == []


def test_a_run_counts_as_deleted_until_its_store_was_told() -> None:
    """Until then the exporter goes on to tell of it."""
    now = 0.0
    states = RunStates(lambda: True, lambda: now)
    states.note(KEY, status(), None)
    states.forget(KEY)
    now = 590
    states.forget(KEY)
    now = 1_100
    assert scraped(states).value("lccp_run_deleted", **LABELS) == 1
    now = 1_190
    assert scraped(states).samples("lccp_run_deleted") == []
