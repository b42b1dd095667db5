"""The progress of branches, in words, and their measurements."""

from dataclasses import replace
from pathlib import Path

import a_branch
import a_run
import pytest
from drawn import trace

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord
from lccp.report.branches import attempt_text, branches_of
from lccp.report.figures.training import running_mean
from lccp.report.judged import verdict_of
from lccp.report.load import RunData
from lccp.report.page.exhibits import exhibits
from lccp.store.file import FileStore

AT = a_run.CHECKPOINTS[4]
LATER = a_run.CHECKPOINTS[6]
BEGUN = AttemptRecord(number=2, branch=AT, started_at=a_run.START)


def run_with(*attempts: AttemptRecord) -> RunData:
    journal = a_run.journal().model_copy(update={"attempts": attempts})
    return RunData("default/tiny", reports=(), journal=journal)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "attempt 2 trains it"),
        ({"cause": Cause.COMPLETED}, "trained, not evaluated"),
        ({"cause": Cause.HANG}, "attempt 2 ended as Hang"),
    ],
)
def test_a_branch_is_as_far_as_its_newest_attempt(change: dict[str, Cause], told: str) -> None:
    first = BEGUN.model_copy(update={"number": 1, "branch": None})
    (branch,) = branches_of(run_with(first, BEGUN.model_copy(update=change)))
    assert (branch.tokens, branch.progress, branch.report) == (AT, told, None)


def test_an_evaluated_branch_has_the_values_of_its_own_end() -> None:
    ended = BEGUN.model_copy(update={"cause": Cause.COMPLETED})
    data = replace(run_with(ended), branches=(a_branch.report(AT), a_branch.report(LATER)))
    first, second = branches_of(data)
    assert (first.progress, second.progress) == ("evaluated", "evaluated")
    ppl = a_run.report(AT).signal("niah_ppl")
    assert ppl is not None
    assert first.value(ppl) == a_branch.annealed(ppl.value)
    assert branches_of(replace(data, branches=()))[0].value(ppl) is None


def test_branches_are_read_from_the_store_apart_from_checkpoints(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "runs")
    a_run.put(store, a_run.running(LATER))
    a_branch.put(store, AT)
    data = RunData.from_store(store, a_run.KEYS)
    assert [report.tokens for report in data.branches] == [AT]
    assert {report.suite for report in data.reports} == {"intrinsic"}


def test_the_losses_of_a_branch_are_read_apart_from_the_run_s(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "runs")
    a_run.put(store, a_run.running(LATER))
    steps = a_run.history(3)
    lines = "".join(step.model_dump_json(by_alias=True) + "\n" for step in steps)
    branch = a_run.KEYS.branch(AT)
    store.put(branch.history(a_run.WRITER), lines.encode())
    data = RunData.from_store(store, a_run.KEYS)
    assert data.branch_histories == {AT: steps}
    assert len(data.history) > len(steps)
    alone = replace(data, reports=())
    (drawn,) = (one.figure for one in exhibits(alone, verdict_of(alone)) if one.title == "Training")
    assert list(trace(drawn, "branch from 410 K").y) == running_mean([s.loss for s in steps])


def test_an_attempt_names_its_branch() -> None:
    assert attempt_text(BEGUN) == "2 (branch from 410 K)"
    assert attempt_text(BEGUN.model_copy(update={"branch": None})) == "2"
