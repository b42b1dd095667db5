"""Metrics of a run and its training."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import a_run
import pytest
from scraped import Scraped

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord, Journal, StopRecord
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.training import TRAINING
from lccp_exporter.refresh import Runs, StoreWatch

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OPEN = AttemptRecord(number=1, started_at=a_run.START)
Value = Callable[..., float | None]


@pytest.mark.slow
def test_progress_is_what_the_heartbeat_says(value: Value) -> None:
    assert value("lccp_trained_tokens") == a_run.CHECKPOINTS[6]
    assert value("lccp_token_budget") == a_run.BUDGET_TOKENS
    assert value("lccp_training_loss") == 3.12
    assert value("lccp_last_heartbeat_timestamp_seconds") == NOW.timestamp()
    assert value("lccp_unsaved_tokens") == a_run.CHECKPOINTS[6]


@pytest.mark.slow
def test_what_is_not_known_has_no_series(store: FileStore, watch: StoreWatch) -> None:
    other = RunKeys("team", "other")
    a_run.put(store, a_run.without(a_run.finished(), "heartbeat", "verdict", "journal"), other)
    watch.refresh()
    scraped, labels = Scraped.of(Runs([watch])), {"namespace": "team", "run": "other"}
    assert scraped.value("lccp_trained_tokens", **labels) is None
    assert scraped.value("lccp_unreadable_objects", **labels) == 0


def ended(cause: Cause) -> AttemptRecord:
    return OPEN.model_copy(update={"ended_at": a_run.START + timedelta(minutes=3), "cause": cause})


def stop(action: str) -> StopRecord:
    return StopRecord(
        reason="Saturated",
        action=action,  # type: ignore[arg-type]
        at_tokens=1,
        decided_at=a_run.START,
    )


FINISHED = {"finished_at": a_run.START + timedelta(hours=1)}
COUNTED = ended(Cause.OUT_OF_MEMORY).model_copy(update={"counted": True})
OF_A_BRANCH = COUNTED.model_copy(update={"number": 2, "branch": a_run.CHECKPOINTS[3]})
ENDS: dict[str, tuple[float, Journal]] = {
    "the budget is trained": (
        0.0,
        Journal(attempts=(COUNTED, ended(Cause.COMPLETED)), **FINISHED),
    ),
    "the verdict stopped it": (
        0.0,
        Journal(attempts=(ended(Cause.DRAINED),), stop=stop("Stop"), **FINISHED),
    ),
    "the deadline stopped it": (
        1.0,
        Journal(
            attempts=(ended(Cause.DRAINED),),
            stop=stop("Stop").model_copy(update={"reason": "DeadlineExceeded"}),
            **FINISHED,
        ),
    ),
    "no restart is left": (1.0, Journal(attempts=(COUNTED,), **FINISHED)),
    "a failed attempt waits for the next": (0.0, Journal(attempts=(COUNTED,))),
    "a branch failed for good": (
        0.0,
        Journal(attempts=(ended(Cause.COMPLETED), OF_A_BRANCH), **FINISHED),
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_run_failed_if_nothing_follows_its_failure(case: str) -> None:
    expected, journal = ENDS[case]
    [metric] = [one for one in TRAINING if one.name == "lccp_run_failed"]
    facts = ExportedFacts("default", "tiny", journal=journal)
    assert [*metric.samples(facts)] == [((), expected)]


def samples(name: str, **facts: Any) -> list[tuple[tuple[str, ...], float | None]]:
    (metric,) = [one for one in TRAINING if one.name == name]
    return [*metric.samples(ExportedFacts("default", "tiny", **facts))]


def test_attempts_are_counted_by_cause() -> None:
    attempts = (ended(Cause.HANG), ended(Cause.DRAINED), ended(Cause.HANG), OPEN)

    assert samples("lccp_training_attempts_ended_total", journal=Journal(attempts=attempts)) == [
        (("Drained",), 1.0),
        (("Hang",), 2.0),
    ]


def test_an_attached_run_has_no_state_that_could_be_too_old() -> None:
    beat = a_run.heartbeat().model_copy(update={"phase": "Importing", "tokens": 100, "states": ()})

    assert samples("lccp_unsaved_tokens", heartbeat=beat) == [((), None)]


@pytest.mark.parametrize(
    ("tokens", "states", "resumed", "unsaved"),
    [(0, (), None, None), (100, (), None, 100), (100, (), 40, 60), (100, (30, 80), 40, 20)],
)
def test_unsaved_is_what_a_restart_would_do_again(
    tokens: int, states: tuple[int, ...], resumed: int | None, unsaved: float | None
) -> None:
    update = {"tokens": tokens, "states": states, "resumed_from_tokens": resumed}
    beat = a_run.heartbeat().model_copy(update=update)

    assert samples("lccp_unsaved_tokens", heartbeat=beat) == [((), unsaved)]


def test_how_far_the_branch_is_that_is_trained_now() -> None:
    at = a_run.CHECKPOINTS[3]
    made = [(None, Cause.COMPLETED), (at, Cause.HANG), (at, Cause.COMPLETED), (2 * at, None)]
    attempts = tuple(
        AttemptRecord(number=n, branch=branch, cause=cause, started_at=a_run.START)
        for n, (branch, cause) in enumerate(made, 1)
    )
    journal = Journal(attempts=attempts)
    assert samples("lccp_branches_trained", journal=journal) == [((), 1)]
    assert samples("lccp_branch_trained_tokens", journal=journal) == [((), None)]
    training = samples("lccp_branch_trained_tokens", branching=a_run.heartbeat(at))
    assert training == [((), at)]
