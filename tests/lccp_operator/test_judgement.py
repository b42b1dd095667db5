"""A short form of a verdict."""

import a_run
from operator_world import EVERY_TOKENS, verdict_of

from lccp_operator.compact import CompactReport
from lccp_operator.judgement import Judgement, inputs_of

REPORTS = [CompactReport.of(report) for report in a_run.reports()]


def test_it_says_of_the_newest_checkpoint_what_the_verdict_says() -> None:
    verdict = a_run.verdict()
    newest = verdict.checkpoints[-1]

    short = Judgement.of(verdict)

    assert (short.state, short.signal) == (verdict.state, verdict.policy.signal)
    assert short.headline == verdict.evidence[0]
    assert short.gain == newest.gain(verdict.policy.signal)
    assert short.gain is not None
    assert short.checkpoints[newest.tokens].values == newest.values
    assert len(short.checkpoints) == len(verdict.checkpoints)
    assert short.titles == {signal.name: signal.title for signal in verdict.signals}
    assert verdict.forecast is not None
    assert short.forecast == (verdict.forecast.tokens, verdict.forecast.budget)


def test_a_verdict_over_nothing_has_neither_gain_nor_headline() -> None:
    verdict = verdict_of([EVERY_TOKENS]).model_copy(update={"checkpoints": (), "evidence": ()})

    short = Judgement.of(verdict)

    assert (short.gain, short.headline, short.checkpoints, short.forecast) == (None, "", {}, None)


def test_every_report_and_the_policy_count_as_inputs() -> None:
    policy = a_run.policy()
    known = inputs_of(REPORTS, policy)

    assert inputs_of(list(REPORTS), a_run.policy()) == known
    assert inputs_of(REPORTS[:-1], policy) != known
    assert inputs_of(REPORTS, policy.model_copy(update={"min_gain": 0.5})) != known
