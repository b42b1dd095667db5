"""Conditions, summed up in one word."""

import re
from datetime import UTC, datetime

import pytest

from lccp.api.conditions import (
    OF_EVERY_RUN,
    OF_SOME_RUNS,
    REMEDIES,
    Condition,
    ConditionType,
    Reason,
    summary,
)


def a_condition(type_: str, status: str, reason: str) -> Condition:
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        last_transition_time=datetime(2026, 1, 5, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("conditions", "word"),
    [
        ([], "Pending"),
        ([("Accepted", "False", "InvalidSpec"), ("Failed", "True", "InvalidSpec")], "Refused"),
        ([("Training", "Unknown", "Pending")], "Pending"),
        ([("Training", "False", "Queued")], "Queued"),
        ([("Training", "True", "Saving")], "Saving"),
        ([("Training", "True", "Running")], "Training"),
        ([("Training", "False", "Completed"), ("Succeeded", "False", "NotFinished")], "Evaluating"),
        ([("Training", "False", "Saturated")], "Evaluating"),
        ([("Training", "True", "Draining"), ("Suspended", "True", "SuspendedByUser")], "Suspended"),
        ([("Training", "False", "Completed"), ("Succeeded", "True", "Completed")], "Succeeded"),
        ([("Suspended", "True", "SuspendedByUser"), ("Failed", "True", "NotFinite")], "Failed"),
    ],
)
def test_a_run_is_told_in_one_word(conditions: list[tuple[str, str, str]], word: str) -> None:
    assert summary(a_condition(*one) for one in conditions) == word


def test_every_type_is_of_every_run_or_of_some() -> None:
    assert sorted(OF_EVERY_RUN + OF_SOME_RUNS) == sorted(ConditionType)


@pytest.mark.parametrize("reason", REMEDIES)
def test_a_remedy_names_fields_by_what_its_reader_fills_in(reason: Reason) -> None:
    assert set(re.findall(r"{(\w+)}", REMEDIES[reason])) <= {"pods", "image"}
