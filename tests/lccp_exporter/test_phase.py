"""What a run does, by its stored facts."""

from datetime import timedelta
from typing import Any

import a_run
import pytest

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord, Journal, StopRecord
from lccp.api.objects.training import End, Heartbeat
from lccp_exporter.facts import RunFacts, RunPhase
from lccp_exporter.metrics.table import RUN_METRICS

OPEN = AttemptRecord(number=1, started_at=a_run.START)
BEAT = a_run.heartbeat()


def ended(cause: Cause) -> AttemptRecord:
    return OPEN.model_copy(update={"ended_at": a_run.START + timedelta(minutes=3), "cause": cause})


def stop(action: str) -> StopRecord:
    return StopRecord(
        reason="Saturated",
        action=action,  # type: ignore[arg-type]
        at_tokens=1,
        decided_at=a_run.START,
    )


def beating(phase: str, attempt: int = 1) -> Heartbeat:
    return BEAT.model_copy(update={"phase": phase, "attempt": attempt})


CASES: dict[str, tuple[RunPhase, Journal | None, dict[str, Any]]] = {
    "nothing is known yet": (RunPhase.QUEUED, None, {}),
    "no attempt began": (RunPhase.QUEUED, Journal(), {}),
    "an attempt waits for its pods": (RunPhase.QUEUED, Journal(attempts=(OPEN,)), {}),
    "the model loads": (
        RunPhase.STARTING,
        Journal(attempts=(OPEN,)),
        {"heartbeat": beating("Starting")},
    ),
    "steps are made": (
        RunPhase.TRAINING,
        Journal(attempts=(OPEN,)),
        {"heartbeat": beating("Training")},
    ),
    "a state is saved": (
        RunPhase.SAVING,
        Journal(attempts=(OPEN,)),
        {"heartbeat": beating("Saving")},
    ),
    "a queue took the pods away": (
        RunPhase.QUEUED,
        Journal(attempts=(OPEN,)),
        {
            "heartbeat": beating("Ending"),
            "end": End(result=Cause.TERMINATED, at=a_run.START),
        },
    ),
    "the next attempt has not written yet": (
        RunPhase.QUEUED,
        Journal(attempts=(ended(Cause.HANG), OPEN.model_copy(update={"number": 2}))),
        {"heartbeat": beating("Training", attempt=1)},
    ),
    "a failed attempt waits for the next": (
        RunPhase.QUEUED,
        Journal(attempts=(ended(Cause.OUT_OF_MEMORY),)),
        {"heartbeat": beating("Training")},
    ),
    "somebody suspended it": (
        RunPhase.SUSPENDED,
        Journal(attempts=(ended(Cause.DRAINED),)),
        {"heartbeat": beating("Ending")},
    ),
    "the verdict suspended it": (
        RunPhase.SUSPENDED,
        Journal(attempts=(ended(Cause.DRAINED),), stop=stop("Suspend")),
        {},
    ),
    "the verdict stopped it": (
        RunPhase.EVALUATING,
        Journal(attempts=(ended(Cause.DRAINED),), stop=stop("Stop")),
        {},
    ),
    "the budget is trained": (
        RunPhase.EVALUATING,
        Journal(attempts=(ended(Cause.COMPLETED),)),
        {},
    ),
    "nothing is left to be done": (
        RunPhase.FINISHED,
        Journal(attempts=(ended(Cause.COMPLETED),), finished_at=a_run.START),
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_phase_follows_from_journal_and_trainer(case: str) -> None:
    phase, journal, facts = CASES[case]
    assert RunFacts("default", "tiny", journal=journal, **facts).phase is phase


FINISHED = {"finished_at": a_run.START + timedelta(hours=1)}
COUNTED = ended(Cause.OUT_OF_MEMORY).model_copy(update={"counted": True})
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
}


@pytest.mark.parametrize("case", ENDS)
def test_a_run_failed_if_nothing_follows_its_failure(case: str) -> None:
    expected, journal = ENDS[case]
    [metric] = [one for one in RUN_METRICS if one.name == "lccp_run_failed"]
    facts = RunFacts("default", "tiny", journal=journal)
    assert [*metric.samples(facts)] == [((), expected)]
