"""What to do about a verdict."""

import numpy as np
import pytest
from series import NIAH_PPL, NIAH_SCORE, QUORUM, a_series, a_trajectory, with_changes
from tiny_reports import DEMO, POLICY, REGULAR, demo_reports

from lccp.analysis.trajectory import Trajectory
from lccp.analysis.verdict import judge, judge_trajectory
from lccp.api.objects.verdict import VerdictState as State
from lccp.report.summary import verdict_sentence

FLAT = a_trajectory(REGULAR, 1e-4 * (-1.0) ** np.arange(len(REGULAR)))


def test_a_saturated_run_is_stopped_unless_its_horizon_is_a_guess() -> None:
    assert judge_trajectory(FLAT, POLICY).advice == (
        "Stop here: another 400 tokens are expected to gain less than 2 % of NIAH-PPL."
    )
    guessed = judge_trajectory(FLAT, with_changes(POLICY, horizon_source="Guess"))
    assert guessed.state is State.SATURATED
    assert guessed.advice.startswith("Do not stop because of this verdict: its horizon is a guess")
    assert "--budget" in guessed.advice


@pytest.mark.parametrize(
    ("gain", "pays"), [(0.1, True), (0.021, True), (0.019, False), (0.012, False)]
)
def test_training_still_pays_only_where_the_estimate_says_so(gain: float, pays: bool) -> None:
    tokens = REGULAR[:4]
    verdict = judge_trajectory(a_trajectory(tokens, gain * tokens / 400), POLICY)
    assert verdict.state is State.IMPROVING
    assert ("still pays" in verdict.advice) == pays
    assert ("less than pays" in verdict.advice) == (not pays)


def test_a_deceptive_run_goes_on_whatever_the_score_shows() -> None:
    verdict = judge(demo_reports(0, ceiling_step=15)[:7], DEMO)
    assert verdict.state is State.DECEPTIVELY_SATURATED
    assert verdict.advice == (
        "Continue: training still pays. The NIAH score is flat, and cannot show it."
    )


def test_a_quorum_stops_by_the_signal_that_is_saturated() -> None:
    verdict = judge_trajectory(
        QUORUM, with_changes(POLICY, signals=(NIAH_PPL, NIAH_SCORE), quorum=1)
    )
    assert verdict.state is State.SATURATED
    assert verdict.advice == (
        "Stop here: another 400 tokens are expected to gain less than 0.02 of NIAH score."
    )


def test_the_ceiling_that_stands_still_is_named() -> None:
    series = dict(a_trajectory(REGULAR, 0.1 * REGULAR / 400).series)
    series[NIAH_SCORE] = a_series(REGULAR, 0.04 * REGULAR / 400, NIAH_SCORE)
    series["niah_exact"] = a_series(
        REGULAR, 0.5 + 1e-4 * (-1.0) ** np.arange(len(REGULAR)), "niah_exact"
    )
    policy = with_changes(POLICY, ceilings=(NIAH_SCORE, "niah_exact"))
    verdict = judge_trajectory(Trajectory(series), policy)
    assert verdict.state is State.DECEPTIVELY_SATURATED
    assert "The NIAH exact is flat" in verdict.advice
    assert any(s.startswith("The NIAH exact is flat") for s in verdict.evidence)
    assert "the NIAH exact is flat, but NIAH-PPL still improves" in verdict_sentence(verdict)


def test_a_run_that_loses_goes_back_to_its_best_checkpoint() -> None:
    loses = np.where(REGULAR > 800, -0.1 * (REGULAR - 800) / 400, REGULAR / 8_000)
    verdict = judge_trajectory(a_trajectory(REGULAR, loses), POLICY)
    assert verdict.state is State.REGRESSING
    assert verdict.advice.endswith("NIAH-PPL was best at 800 tokens.")


def test_a_loss_that_has_not_lasted_is_watched() -> None:
    loses = np.where(REGULAR > 800, -0.1 * (REGULAR - 800) / 400, REGULAR / 8_000)
    course = judge_trajectory(a_trajectory(REGULAR, loses), POLICY).checkpoints
    begins = next(i for i, c in enumerate(course) if c.state is State.REGRESSING)
    before = a_trajectory(REGULAR[:begins], loses[:begins])
    assert judge_trajectory(before, POLICY).advice == (
        "Watch it: the model gets worse; if that persists, it will be judged a regression."
    )


@pytest.mark.parametrize(("spread", "words"), [(0.5, "more samples"), (0.0, "more of them")])
def test_what_is_lost_in_noise_is_told_by_the_larger_noise(spread: float, words: str) -> None:
    rng = np.random.default_rng(0)
    series = a_trajectory(REGULAR, rng.normal(0, 0.2, len(REGULAR))).series[NIAH_PPL]
    scatter = {kind: spread * rng.normal(size=of.shape) for kind, of in series.clusters.items()}
    clusters = {kind: of + scatter[kind] for kind, of in series.clusters.items()}
    noisy = type(series)(series.signal, series.tokens, series.values, clusters)
    verdict = judge_trajectory(type(FLAT)({NIAH_PPL: noisy}), POLICY)
    assert verdict.state is State.UNDETERMINED
    assert words in verdict.advice


def test_a_gain_that_is_known_is_not_said_to_need_a_longer_span() -> None:
    """The horizon that checkpoints span is rounded by a step; its advice is about what is known."""
    tokens = 40 * np.arange(1, 4)
    noisy = a_trajectory(tokens, [0.0, 0.3, 0.0])
    policy = with_changes(POLICY, horizon_tokens=1_000, rounding_tokens=39)
    verdict = judge_trajectory(noisy, policy)
    assert verdict.state is State.UNDETERMINED
    assert verdict.checkpoints[-1].gain(NIAH_PPL) is not None
    assert "horizon" not in verdict.advice
    early = judge_trajectory(noisy, with_changes(policy, rounding_tokens=0))
    assert early.checkpoints[-1].gain(NIAH_PPL) is None
    assert "span more of the horizon" in early.advice


def test_without_reports_one_waits() -> None:
    assert judge([], POLICY).advice == "Wait for the first evaluation."
