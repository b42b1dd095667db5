"""What the exporter knows of a run: what it does, and what was measured."""

from datetime import timedelta
from typing import Any

import a_run
import pytest

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord, Journal, StopRecord
from lccp.api.objects.training import End, Heartbeat
from lccp_exporter.facts import WATCHED_MAX, ExportedFacts, ExportedVerdict, RunPhase, watched
from lccp_exporter.measured import Measured

OPEN = AttemptRecord(number=1, started_at=a_run.START)
BRANCH = AttemptRecord(number=2, branch=4_096, started_at=a_run.START)
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
    "another trainer's checkpoints are imported": (
        RunPhase.IMPORTING,
        Journal(attempts=(OPEN,)),
        {"heartbeat": beating("Importing")},
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
    "a branch waits for its pods": (
        RunPhase.QUEUED,
        Journal(attempts=(ended(Cause.COMPLETED), BRANCH)),
        {"heartbeat": beating("Ending")},
    ),
    "a branch is trained": (
        RunPhase.ANNEALING,
        Journal(attempts=(ended(Cause.COMPLETED), BRANCH)),
        {
            "heartbeat": beating("Ending"),
            "end": End(result=Cause.COMPLETED, at=a_run.START),
            "branching": beating("Training", attempt=2),
        },
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
    "somebody suspended a branch of a run that the verdict stopped": (
        RunPhase.SUSPENDED,
        Journal(
            attempts=(
                ended(Cause.DRAINED),
                ended(Cause.DRAINED).model_copy(update={"number": 2, "branch": BRANCH.branch}),
            ),
            stop=stop("Stop"),
        ),
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
    assert ExportedFacts("default", "tiny", journal=journal, **facts).phase is phase


def measured(*checkpoints: int) -> list[Measured]:
    return [Measured.of(a_run.report(tokens)) for tokens in checkpoints]


def test_a_signal_has_its_newest_value_though_not_every_checkpoint_measured_it() -> None:
    first, newest = a_run.CHECKPOINTS[:2]
    other = a_run.report(newest).model_copy(update={"probes": {}})
    facts = ExportedFacts(
        "default",
        "tiny",
        measured=[*measured(first), Measured.of(other)],
        compared={"head_overlap": {first: 0.5, newest: 0.75}, "head_spearman": {}},
    )

    values = facts.newest_values()
    niah = a_run.report(first).signal("niah_ppl")
    assert niah is not None
    assert values["niah_ppl", "extension"] == niah.value
    assert values["head_overlap", ""] == 0.75
    assert ("head_spearman", "") not in values


def test_values_by_checkpoint_are_of_the_named_signals_alone() -> None:
    checkpoints = a_run.CHECKPOINTS[:3]
    facts = ExportedFacts(
        "default", "tiny", measured=measured(*checkpoints), compared={"head_overlap": {9: 0.5}}
    )

    found = facts.values_by_checkpoint(["niah_ppl", "head_overlap"])

    assert list(found) == sorted((*checkpoints, 9))
    assert found[9] == {("head_overlap", ""): 0.5}
    assert set(found[checkpoints[1]]) == {("niah_ppl", "extension")}


def test_the_newest_checkpoint_is_that_of_the_probes() -> None:
    external = a_run.report(a_run.CHECKPOINTS[3]).model_copy(update={"suite": "ruler"})
    facts = ExportedFacts(
        "d", "t", measured=[*measured(a_run.CHECKPOINTS[1]), Measured.of(external)]
    )

    assert facts.newest is not None
    assert facts.newest.tokens == a_run.CHECKPOINTS[1]
    assert ExportedFacts("d", "t").newest is None


def test_watched_are_few_and_the_policys_signal_is_the_first() -> None:
    verdict = a_run.verdict()
    names = watched(verdict)

    assert names[0] == verdict.policy.signal
    assert len(set(names)) == len(names) <= WATCHED_MAX
    assert {gain.signal for gain in ExportedVerdict.of(verdict).gains} <= set(names)


def test_a_run_without_a_fitted_checkpoint_has_no_gains() -> None:
    judged = ExportedVerdict.of(a_run.verdict().model_copy(update={"checkpoints": ()}))

    assert judged.gains == ()
    assert judged.gate is None
