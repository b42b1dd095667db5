"""The reasons for a verdict: sentences that its numbers support."""

from collections.abc import Sequence

import numpy as np
import pytest
from reports import a_report
from series import (
    NIAH_PPL,
    NIAH_PPL_GUARD,
    NIAH_SCORE,
    QUORUM,
    a_series,
    a_trajectory,
    with_changes,
)
from tiny_reports import DEMO, POLICY, REGULAR, demo_reports

from lccp.analysis.policy import policy_of_reports
from lccp.analysis.sentences.findings import percent
from lccp.analysis.simulation import Jitter
from lccp.analysis.trajectory import Trajectory
from lccp.analysis.verdict import judge, judge_trajectory
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import VerdictState as State

WOBBLE = 1e-4 * (-1.0) ** np.arange(len(REGULAR))
FLAT = a_trajectory(REGULAR, WOBBLE)


def evidence(reports: Sequence[EvaluationReport]) -> str:
    return " ".join(judge(reports, DEMO).evidence)


def test_it_names_numbers_the_most_important_first() -> None:
    verdict = judge(demo_reports(1, ceiling_step=15), DEMO)
    newest = verdict.checkpoints[-1]
    gain = newest.gain(NIAH_PPL)
    assert verdict.state is State.SATURATED
    assert gain is not None
    assert percent(abs(gain.gain)) in verdict.evidence[0]
    assert "409,600 tokens" in verdict.evidence[0]
    assert "through the last" in verdict.evidence[1]
    assert f"{newest.values[NIAH_PPL]:.3f}" in verdict.evidence[2]


def test_a_horizon_far_beyond_the_checkpoints_is_told_and_nothing_is_drawn_out() -> None:
    far = DEMO.model_copy(update={"horizon_tokens": 100 * 10**12, "budget_tokens": None})
    verdict = judge(demo_reports(1, ceiling_step=15), far)
    assert verdict.state is State.UNDETERMINED
    assert "less than a tenth of the horizon of 100,000,000,000,000 tokens" in verdict.evidence[0]
    assert "%" not in " ".join(verdict.evidence)
    assert "span more of the horizon" in verdict.advice


def test_a_horizon_that_is_shorter_than_a_step_is_told() -> None:
    """Such as 25 in place of 25B: nothing is judged saturated by it."""
    short = DEMO.model_copy(update={"horizon_tokens": 25})
    assert "25 tokens is shorter than a step of training, 4,096 tokens" in " ".join(
        judge(demo_reports(1), short).evidence
    )
    assert "than a step" not in evidence(demo_reports(1))


def test_a_saturation_is_told_by_its_line_also_while_it_is_only_held() -> None:
    now = judge_trajectory(FLAT, POLICY)
    line = now.checkpoints[-1].gains[0].line
    assert line is not None
    assert abs(line.gain) + line.half_width < POLICY.min_gain
    assert f"the last {line.horizons} horizons gains" in now.evidence[1]
    shaken = np.concatenate([WOBBLE[:12], [0.06, -0.06, 0.06, -0.06]])
    held = judge_trajectory(a_trajectory(REGULAR, shaken), POLICY)
    assert held.state is State.SATURATED
    assert "up to 1,200 tokens" in held.evidence[1]
    assert "since then no gain that pays has persisted" in held.evidence[1]


def test_the_first_window_of_a_plateau_is_called_one() -> None:
    verdict = judge_trajectory(a_trajectory(REGULAR[:6], WOBBLE[:6]), POLICY)
    assert verdict.state is State.UNDETERMINED
    assert "Plateau (1 of 2 horizons)" in verdict.evidence[1]


def test_a_guard_that_regresses_comes_first_with_the_checkpoint_to_return_to() -> None:
    reports = [
        a_report(
            tokens,
            nll=0.1 + 1e-4 * (-1) ** (tokens // 100),
            guard_nll=0.05 + (0.2 * (tokens - 500) / 400) * (tokens > 500),
        )
        for tokens in REGULAR.tolist()
    ]
    verdict = judge(reports, POLICY)
    assert verdict.state is State.REGRESSING
    assert verdict.evidence[0].startswith("NIAH-PPL, guard band loses 20 %")
    assert "was best at 100 tokens" in verdict.advice


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reports", "words"),
    [
        (demo_reports(0)[:2], "needs three checkpoints"),
        (demo_reports(0)[:4], "do not span a horizon"),
        (demo_reports(0, ceiling_step=15)[:7], "at its ceiling"),
        (demo_reports(0)[:1], "At 0 tokens: NIAH score 0.480, NIAH-PPL 1.240."),
        (demo_reports(0)[:12], "the last doubling of tokens gained"),
    ],
)
def test_it_says_what_is_missing_and_what_does_not_depend_on_the_horizon(
    reports: Sequence[EvaluationReport], words: str
) -> None:
    assert words in evidence(reports)


@pytest.mark.parametrize(
    ("source", "words"),
    [("Given", ""), ("Budget", "is an eighth of the budget"), ("Guess", "is a guess")],
)
def test_it_says_where_the_horizon_comes_from(source: str, words: str) -> None:
    verdict = judge_trajectory(FLAT, with_changes(POLICY, horizon_source=source))
    assert words in " ".join(verdict.evidence)
    assert (source == "Given") == ("The horizon of" not in " ".join(verdict.evidence))


def test_an_untrained_checkpoint_alone_has_no_horizon() -> None:
    reports = demo_reports(0)[:1]
    told = " ".join(judge(reports, policy_of_reports(reports)).evidence)
    assert "No horizon is known before the first trained checkpoint." in told
    assert "1 token" not in told


def test_min_tokens_are_named_when_they_alone_hold_a_saturation_back() -> None:
    verdict = judge_trajectory(FLAT, with_changes(POLICY, min_tokens=2_000))
    assert (verdict.state, verdict.policy.min_tokens) == (State.UNDETERMINED, 2_000)
    assert any("before 2,000 tokens" in sentence for sentence in verdict.evidence)


def test_curvature_is_told_from_noise_with_a_memory() -> None:
    tokens = np.arange(100, 8_100, 100)
    bends = judge_trajectory(a_trajectory(tokens, -np.exp(-tokens / 800)), POLICY)
    assert any("the course bends" in sentence for sentence in bends.evidence)
    rng = np.random.default_rng(1)
    (jitter,) = Jitter(0.002, memory=0.6).draw((1, 80), rng)
    policy = with_changes(POLICY, horizon_tokens=2_000)
    remembers = judge_trajectory(a_trajectory(tokens, jitter), policy)
    assert any("has a memory" in sentence for sentence in remembers.evidence)
    white = judge_trajectory(a_trajectory(tokens, rng.normal(0, 0.002, 80)), policy)
    assert not any("memory" in s or "bends" in s for s in white.evidence)


def test_a_quorum_is_told_by_its_signals() -> None:
    rising = a_series(REGULAR, 0.1 * REGULAR / 400, NIAH_SCORE)
    both = Trajectory(dict(FLAT.series) | {NIAH_SCORE: rising})
    verdict = judge_trajectory(both, with_changes(POLICY, signals=(NIAH_PPL, NIAH_SCORE)))
    assert verdict.state is State.IMPROVING
    assert any("1 of 2 primary signals are saturated (NIAH-PPL)" in s for s in verdict.evidence)


def test_a_saturation_by_quorum_is_told_by_the_signal_that_is_saturated() -> None:
    policy = with_changes(POLICY, signals=(NIAH_PPL, NIAH_SCORE), quorum=1)
    verdict = judge_trajectory(QUORUM, policy)
    assert verdict.state is State.SATURATED
    told = [s.split(" per ")[0] for s in verdict.evidence[:3]]
    assert told[0].startswith("NIAH-PPL gains 10 %")
    assert told[1].startswith("NIAH score ")
    assert told[2].startswith("The line of NIAH score through the last")
    assert not any("line of NIAH-PPL" in sentence for sentence in verdict.evidence)


def test_gains_of_shares_are_no_percentages() -> None:
    rising = {NIAH_SCORE: a_series(REGULAR, 0.1 * REGULAR / 400, NIAH_SCORE)}
    verdict = judge_trajectory(Trajectory(rising), with_changes(POLICY, signals=(NIAH_SCORE,)))
    assert verdict.evidence[0].startswith("NIAH score gains 0.1 per 400 tokens")


def test_a_signal_measured_on_one_cluster_is_named() -> None:
    single = {
        NIAH_PPL: a_series(REGULAR, WOBBLE),
        NIAH_PPL_GUARD: a_series(REGULAR, WOBBLE, NIAH_PPL_GUARD),
    }
    bare = single[NIAH_PPL]
    ones = type(bare)(bare.signal, bare.tokens, bare.values, {"haystack": bare.values[:, None]})
    verdict = judge_trajectory(Trajectory(single | {NIAH_PPL: ones}), POLICY)
    assert verdict.state is State.UNDETERMINED
    assert "measured on one cluster of samples" in verdict.evidence[0]
