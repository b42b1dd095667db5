"""What the API says of a run, as far as it is known."""

import a_run

from lccp_exporter.facts import ExportedFacts, ExportedVerdict
from lccp_exporter.measured import Measured
from lccp_exporter.web.objects import RunDetail, RunSummary

BARE = ExportedFacts("default", "tiny")
KNOWN = ExportedFacts(
    "default",
    "tiny",
    journal=a_run.journal(),
    heartbeat=a_run.heartbeat(),
    measured=[Measured.of(a_run.report(tokens)) for tokens in a_run.CHECKPOINTS[:2]],
    judged=ExportedVerdict.of(a_run.verdict()),
    compared={"head_overlap": {a_run.CHECKPOINTS[1]: 0.5}},
)


def test_a_run_of_which_nothing_is_known_is_queued() -> None:
    summary = RunSummary.of(BARE)

    assert summary.phase == "Queued"
    assert (summary.verdict, summary.tokens, summary.signals) == (None, None, {})
    assert RunDetail.of(BARE).checkpoints == ()


def test_a_summary_has_the_watched_signals_alone() -> None:
    summary = RunSummary.of(KNOWN)

    assert KNOWN.judged is not None
    assert set(summary.signals) <= set(KNOWN.judged.watched)
    assert summary.evaluated_tokens == a_run.CHECKPOINTS[1]


def test_details_hold_the_summary_and_every_checkpoint() -> None:
    detail, summary = RunDetail.of(KNOWN), RunSummary.of(KNOWN)

    assert detail.model_dump().items() >= summary.model_dump().items()
    assert [one.tokens for one in detail.checkpoints] == list(a_run.CHECKPOINTS[:2])
    assert detail.checkpoints[1].signals["head_overlap"] == 0.5
    assert "head_overlap" not in detail.checkpoints[0].signals
    assert detail.attempts == a_run.journal().attempts
