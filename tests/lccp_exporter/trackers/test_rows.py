"""What trackers are given of a run."""

import dataclasses
from datetime import timedelta

import a_run
import pytest

from lccp.api.labels import ANNEAL, INTRINSIC, evaluation_key
from lccp.report.load import RunData
from lccp_exporter.trackers.rows import TrackedRun, digest_of, rows_of

pytestmark = pytest.mark.slow


def test_rows_are_in_the_order_of_tokens(whole: RunData) -> None:
    tokens = [row.tokens for row in rows_of(whole)]
    assert tokens == sorted(tokens)


def test_every_step_report_and_judged_checkpoint_has_a_row(whole: RunData) -> None:
    rows = rows_of(whole)
    by_source = {source: [r for r in rows if r.source == source] for source in ("training",)}
    assert [row.tokens for row in by_source["training"]] == [s.tokens for s in whole.history]
    for report in whole.reports:
        (row,) = [r for r in rows if r.source == "intrinsic" and r.tokens == report.tokens]
        for signal in report.signals():
            assert row.values[f"signal/{signal.name}"] == signal.value
    assert whole.verdict is not None
    judged = whole.verdict.checkpoints[-1]
    (last,) = [r for r in rows if r.source == "verdict" and r.tokens == judged.tokens]
    assert last.values["gain/niah_ppl"] == next(
        gain.gain for gain in judged.gains if gain.signal == "niah_ppl"
    )


def test_the_loss_on_held_out_documents_stands_at_its_checkpoint(whole: RunData) -> None:
    measured = a_run.held_out(a_run.CHECKPOINTS[2])
    rows = rows_of(dataclasses.replace(whole, held_out=(measured,)))
    (row,) = [row for row in rows if "held_out/long/beyond" in row.values]
    (step,) = [step for step in whole.history if step.tokens == row.tokens]
    assert (row.tokens, row.at) == (measured.tokens, step.at)
    assert row.values["held_out/long/beyond"] == measured.cells[1].loss


def test_an_evaluation_and_its_verdict_stand_at_the_time_when_it_ended(whole: RunData) -> None:
    assert whole.journal is not None
    tokens, ended = whole.reports[3].tokens, a_run.START + timedelta(days=1)
    key = evaluation_key(tokens, INTRINSIC)
    outcome = whole.journal.evaluations[key].model_copy(update={"at": ended})
    outcomes = whole.journal.evaluations | {key: outcome}
    journal = whole.journal.model_copy(update={"evaluations": outcomes})
    rows = rows_of(dataclasses.replace(whole, journal=journal))
    times = {row.source: row.at for row in rows if row.tokens == tokens}
    assert times["intrinsic"] == times["verdict"] == ended
    assert times["training"] < ended


def test_suites_and_branches_have_rows_of_their_own(whole: RunData) -> None:
    words = whole.reports[2].model_copy(update={"suite": "words"})
    branch = whole.reports[3].model_copy(update={"suite": ANNEAL})

    rows = rows_of(dataclasses.replace(whole, external=(words,), branches=(branch,)))

    found = {row.source: row.tokens for row in rows if row.source in ("words", ANNEAL)}
    assert found == {"words": words.tokens, ANNEAL: branch.tokens}


def test_signals_between_checkpoints_are_among_them(whole: RunData) -> None:
    newest = [row for row in rows_of(whole) if row.source == "intrinsic"][-1]
    assert 0 <= newest.values["signal/initial_heads_score"] <= 1


def test_a_run_is_described_by_its_identity_and_its_verdict(whole: RunData) -> None:
    run = TrackedRun.of(whole)
    assert run.name == "default/tiny"
    assert run.digest == a_run.identity().digest
    assert run.verdict["state"] == "Saturated"
    assert run.finished


def test_the_digest_tells_whether_there_is_anything_new(early: RunData, whole: RunData) -> None:
    digests = [digest_of(rows_of(data), TrackedRun.of(data)) for data in (early, early, whole)]
    assert digests[0] == digests[1] != digests[2]
