"""The policy by which a run was judged, as far as it is known."""

from dataclasses import replace

import a_run
import pytest
from reports import a_value, part, report_with

from lccp.contract.signals import Signal
from lccp.report.judged import policy_of, verdict_of
from lccp.report.load import RunData

BARE = RunData("default/tiny", reports=a_run.reports())
WORDS = Signal(name="words/known", title="words: known", unit="share")


def test_a_stored_verdict_and_its_policy_stand() -> None:
    data = replace(BARE, verdict=a_run.verdict())

    assert verdict_of(data) is data.verdict
    assert policy_of(data) == a_run.policy()


@pytest.mark.slow
def test_without_one_the_reports_are_judged_by_a_guess() -> None:
    policy = policy_of(BARE)

    assert policy.horizon_source == "Guess"
    assert policy.budget_tokens is None
    verdict = verdict_of(BARE)
    assert verdict.policy == policy
    assert verdict.at_tokens == a_run.CHECKPOINTS[-1]


def test_a_heartbeat_tells_the_budget() -> None:
    told = policy_of(replace(BARE, heartbeat=a_run.heartbeat()))

    assert told.budget_tokens == a_run.BUDGET_TOKENS


def test_without_one_signals_of_external_suites_are_judged_too() -> None:
    external = tuple(
        report_with({"words": part("words", {}, [a_value(WORDS, 0.5)])}, tokens, suite="words")
        for tokens in a_run.CHECKPOINTS
    )

    verdict = verdict_of(replace(BARE, external=external))

    assert verdict.checkpoints[-1].values["words/known"] == 0.5
    assert "niah_ppl" in verdict.checkpoints[-1].values
