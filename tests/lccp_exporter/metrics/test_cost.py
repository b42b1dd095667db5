"""Metrics of what a run costs, and what its stop saved."""

from typing import Any, Literal

import a_run
import pytest

from lccp.api.objects.journal import Journal, StopRecord
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.cost import COST

BEAT = a_run.heartbeat().model_copy(update={"tokens": 5})
LEFT = a_run.BUDGET_TOKENS - 5


def value(name: str, **facts: Any) -> float | None:
    (metric,) = [one for one in COST if one.name == name]
    ((_, found),) = metric.samples(ExportedFacts("default", "tiny", **facts))
    return found


def stopped(action: Literal["Stop", "Suspend"]) -> Journal:
    at = a_run.START
    return Journal(stop=StopRecord(reason="Saturated", action=action, at_tokens=1, decided_at=at))


@pytest.mark.parametrize("journal", [None, Journal(), stopped("Suspend")])
def test_without_a_stop_nothing_is_saved(journal: Journal | None) -> None:
    assert value("lccp_saved_tokens", heartbeat=BEAT, journal=journal) is None
    assert value("lccp_saved_accelerator_seconds", heartbeat=BEAT, journal=journal) is None


def test_a_stop_saves_what_is_left_of_the_budget_at_the_last_throughput() -> None:
    told = {"heartbeat": BEAT, "journal": stopped("Stop")}
    assert value("lccp_saved_tokens", **told) == LEFT
    assert value("lccp_saved_accelerator_seconds", **told) == pytest.approx(8 * LEFT / 17_000)


def test_on_cpus_tokens_alone_are_saved() -> None:
    on_cpus = BEAT.model_copy(update={"accelerators": 0})
    told = {"heartbeat": on_cpus, "journal": stopped("Stop")}
    assert value("lccp_saved_tokens", **told) == LEFT
    assert value("lccp_saved_accelerator_seconds", **told) is None
    assert value("lccp_accelerators", **told) == 0


def test_what_was_spent_is_that_of_all_attempts() -> None:
    assert value("lccp_spent_accelerator_seconds", accelerator_seconds=1_600.0) == 1_600
    assert value("lccp_spent_accelerator_seconds") is None
