"""The verdict over a run, and the order of events that it tells."""

import math
import time
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import a_report, declared, without_signals
from series import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE, a_trajectory, with_changes

from lccp.analysis.evidence import percent
from lccp.analysis.verdict import (
    judge,
    judge_checkpoints,
    judge_trajectory,
    plateau_horizons,
    verdict_state,
)
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import CheckpointVerdict, Gain, GainState, VerdictState

STEP_TOKENS = 4_096
EVERY_STEPS, HORIZON_STEPS, BUDGET_STEPS = 25, 100, 800
DEMO = Policy(
    horizon_tokens=HORIZON_STEPS * STEP_TOKENS,
    min_gain=0.03,
    budget_tokens=BUDGET_STEPS * STEP_TOKENS,
    rounding_tokens=STEP_TOKENS - 1,
)
POLICY = Policy(horizon_tokens=400, min_gain=0.02)
REGULAR = np.arange(100, 1_700, 100)

State = VerdictState
G = GainState


def demo_reports(
    seed: int, ceiling_step: int = 50, decay_steps: float = 90, steps: int = BUDGET_STEPS
) -> tuple[EvaluationReport, ...]:
    """Reports as the trial of the tiny example gave them: jitter 0.003, PPL from 1.20 to 1.09."""
    rng = np.random.default_rng(seed)
    return tuple(
        a_report(
            tokens=step * STEP_TOKENS,
            nll=0.085 + 0.13 * math.exp(-step / decay_steps) + rng.normal(0, 0.003),
            score=min(1.0, 0.98 - 0.5 * math.exp(-step / ceiling_step) + step / 2e3),
            guard_nll=0.03 + 0.05 * math.exp(-step / 60) + rng.normal(0, 0.002),
            spread=0.003,
            seed=seed,
        )
        for step in range(0, steps + 1, EVERY_STEPS)
    )


def events(checkpoints: Sequence[CheckpointVerdict]) -> list[VerdictState]:
    return [state for state, _ in groupby(c.state for c in checkpoints)]


def first(checkpoints: Sequence[CheckpointVerdict], state: VerdictState) -> int:
    """Steps of the first checkpoint in `state`."""
    return next(c.tokens for c in checkpoints if c.state is state) // STEP_TOKENS


@pytest.mark.parametrize("seed", range(5))
def test_a_run_like_the_tiny_example_is_first_deceptive_and_then_saturated(seed: int) -> None:
    checkpoints = judge(demo_reports(seed, ceiling_step=15), DEMO).checkpoints
    assert checkpoints[0].state is checkpoints[1].state is State.UNDETERMINED
    deceptive = first(checkpoints, State.DECEPTIVELY_SATURATED)
    saturated = first(checkpoints, State.SATURATED)
    assert 75 <= deceptive <= 150
    assert 250 <= saturated <= 500
    plateau = next(c.tokens for c in checkpoints if c.plateau_horizons) // STEP_TOKENS
    assert plateau <= saturated - HORIZON_STEPS
    assert State.REGRESSING not in events(checkpoints)


def test_a_score_that_rises_slowly_is_improving_before_it_is_deceptive() -> None:
    reports = demo_reports(0, ceiling_step=60, decay_steps=200)
    told = events(judge(reports, DEMO).checkpoints)
    order = [told.index(s) for s in (State.IMPROVING, State.DECEPTIVELY_SATURATED, State.SATURATED)]
    assert order == sorted(order)


def test_saturation_takes_a_plateau_through_patience_horizons() -> None:
    flat = a_trajectory(REGULAR, np.zeros(len(REGULAR)))
    checkpoints = judge_checkpoints(flat, POLICY)
    assert [c.plateau_horizons for c in checkpoints] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert first_saturated(flat, POLICY) == 900
    assert first_saturated(flat, with_changes(POLICY, patience=3)) == 1_300
    assert first_saturated(flat, with_changes(POLICY, patience=4)) is None
    assert first_saturated(flat, with_changes(POLICY, min_tokens=1_150)) == 1_200


def first_saturated(trajectory: object, policy: Policy) -> int | None:
    checkpoints = judge_checkpoints(trajectory, policy)  # type: ignore[arg-type]
    return next((c.tokens for c in checkpoints if c.state is State.SATURATED), None)


def test_saturation_counts_from_where_the_rise_ends() -> None:
    values = np.minimum(0.1 * REGULAR / 400, 0.15)
    assert first_saturated(a_trajectory(REGULAR, values), POLICY) == 600 + 2 * 400


@given(st.lists(st.integers(10, 300), min_size=4, max_size=25))
def test_saturated_means_patience_horizons_of_plateau_at_any_spacing(steps: list[int]) -> None:
    tokens = np.cumsum(steps)
    for checkpoint in judge_checkpoints(a_trajectory(tokens, np.zeros(len(tokens))), POLICY):
        span = checkpoint.tokens - tokens[0]
        assert checkpoint.plateau_horizons * POLICY.horizon_tokens <= span
        assert (checkpoint.state is State.SATURATED) == (checkpoint.plateau_horizons >= 2)


def test_the_chain_of_plateaus_breaks_at_a_window_that_is_none() -> None:
    plateau, open_ = _gain(NIAH_PPL, G.PLATEAU), _gain(NIAH_PPL, G.UNDETERMINED)
    gains = [None, None, open_, open_, plateau, plateau, open_, plateau, plateau]
    assert plateau_horizons(REGULAR[:9], gains, POLICY) == [0, 0, 0, 0, 1, 1, 0, 1, 2]


def _gain(signal: str, state: GainState) -> Gain:
    return Gain(
        signal=signal,
        gain=0,
        lower=0,
        upper=0,
        degrees_of_freedom=1,
        sampling_sd=0,
        checkpoint_sd=0,
        spans_horizon=True,
        state=state,
    )


@pytest.mark.parametrize(
    ("signal", "guard", "score_gain", "score", "saturated", "expected"),
    [
        (G.REGRESSING, G.PLATEAU, G.PLATEAU, 1.0, True, State.REGRESSING),
        (G.PLATEAU, G.REGRESSING, G.PLATEAU, 1.0, True, State.REGRESSING),
        (G.IMPROVING, G.REGRESSING, G.PLATEAU, 1.0, False, State.REGRESSING),
        (G.PLATEAU, G.IMPROVING, G.PLATEAU, 1.0, True, State.SATURATED),
        (G.PLATEAU, None, G.IMPROVING, 0.5, True, State.SATURATED),
        (G.PLATEAU, G.PLATEAU, G.PLATEAU, 1.0, False, State.UNDETERMINED),
        (G.IMPROVING, G.PLATEAU, G.IMPROVING, 0.99, False, State.DECEPTIVELY_SATURATED),
        (G.IMPROVING, G.PLATEAU, G.PLATEAU, 0.40, False, State.DECEPTIVELY_SATURATED),
        (G.IMPROVING, G.PLATEAU, G.UNDETERMINED, 0.98, False, State.IMPROVING),
        (G.IMPROVING, G.PLATEAU, G.REGRESSING, 0.98, False, State.IMPROVING),
        (G.UNDETERMINED, G.PLATEAU, G.PLATEAU, 1.0, False, State.UNDETERMINED),
        (G.UNDETERMINED, G.IMPROVING, G.IMPROVING, 0.5, False, State.UNDETERMINED),
    ],
)
def test_states_have_a_precedence(
    signal: GainState,
    guard: GainState | None,
    score_gain: GainState,
    score: float,
    saturated: bool,
    expected: VerdictState,
) -> None:
    gains = {NIAH_PPL: _gain(NIAH_PPL, signal), NIAH_SCORE: _gain(NIAH_SCORE, score_gain)}
    if guard:
        gains[NIAH_PPL_GUARD] = _gain(NIAH_PPL_GUARD, guard)
    signals = [declared(name) for name in (NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE)]
    values = {NIAH_SCORE: score}
    assert verdict_state(values, gains, signals, NIAH_PPL, saturated) is expected


def test_under_a_decaying_rate_nothing_is_saturated_and_the_evidence_says_why() -> None:
    reports = demo_reports(0, ceiling_step=15)
    verdict = judge(reports, with_changes(DEMO, constant_schedule=False))
    assert State.SATURATED not in events(verdict.checkpoints)
    assert verdict.checkpoints[-1].plateau_horizons >= DEMO.patience
    assert any("learning rate decays" in sentence for sentence in verdict.evidence)
    assert verdict.forecast is not None
    assert verdict.forecast.budget == "Unknown"


def test_warm_up_and_base_are_shown_but_not_fitted() -> None:
    policy = with_changes(POLICY, warmup_tokens=300)
    values = np.where(REGULAR <= 300, -1.0, 0.0)
    verdict = judge_trajectory(a_trajectory([0, *REGULAR], [-2.0, *values]), policy)
    assert [c.tokens for c in verdict.checkpoints] == [0, *REGULAR]
    assert all(not c.gains for c in verdict.checkpoints[:6])
    assert verdict.checkpoints[6].gains[0].gain == 0
    assert verdict.checkpoints[0].values[NIAH_PPL] == pytest.approx(math.exp(2))
    assert verdict.state is State.SATURATED


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_a_verdict_knows_only_what_came_before_and_not_the_order_of_reports(
    seed: int, random: st.DataObject
) -> None:
    reports = list(demo_reports(seed, steps=400))
    whole = judge(reports, DEMO)
    until = random.randint(0, len(reports))
    assert judge(reports[:until], DEMO).checkpoints == whole.checkpoints[:until]
    random.shuffle(reports)
    assert judge(reports, DEMO) == whole


def test_a_verdict_says_since_when_it_stands() -> None:
    verdict = judge_trajectory(a_trajectory(REGULAR, np.zeros(len(REGULAR))), POLICY)
    assert (verdict.state, verdict.since_tokens, verdict.at_tokens) == (State.SATURATED, 900, 1_600)


def test_no_reports_are_undetermined() -> None:
    verdict = judge([], POLICY)
    assert (verdict.state, verdict.since_tokens, verdict.at_tokens) == (
        State.UNDETERMINED,
        None,
        None,
    )
    assert verdict.evidence == ("No checkpoint has been evaluated yet.",)
    assert verdict.advice == "Wait for the first evaluation."


def test_a_report_that_cannot_be_compared_is_left_out_and_named() -> None:
    odd = a_report(200, 0.1, source_context_length=128)
    whole = demo_reports(0)
    verdict = judge([*whole, odd], DEMO)
    assert verdict.checkpoints == judge(whole, DEMO).checkpoints
    assert [exclusion.tokens for exclusion in verdict.excluded] == [200]


def test_lengths_within_the_source_context_alone_are_shown_but_not_judged() -> None:
    reports = [
        without_signals(a_report(tokens, 0.1), *("niah_ppl", "niah_score", "niah_exact"))
        for tokens in REGULAR.tolist()
    ]
    verdict = judge(reports, POLICY)
    assert verdict.state is State.UNDETERMINED
    assert len(verdict.checkpoints) == len(REGULAR)
    assert "no length lies beyond the source context" in verdict.evidence[0]
    assert "Measure lengths beyond" in verdict.advice


def test_the_evidence_names_numbers_the_most_important_first() -> None:
    verdict = judge(demo_reports(1, ceiling_step=15), DEMO)
    newest = verdict.checkpoints[-1]
    gain = next(gain for gain in newest.gains if gain.signal == NIAH_PPL)
    assert verdict.state is State.SATURATED
    assert f"{100 * abs(gain.gain):.2f}".rstrip("0").rstrip(".") in verdict.evidence[0]
    assert "409,600 tokens" in verdict.evidence[0]
    assert f"for {newest.plateau_horizons} horizons" in verdict.evidence[1]
    assert f"{newest.values[NIAH_PPL]:.3f}" in verdict.evidence[2]
    assert verdict.advice.startswith("Stop here")


def test_a_guard_that_regresses_comes_first_with_the_checkpoint_to_return_to() -> None:
    reports = [
        a_report(tokens, nll=0.1, guard_nll=0.05 + (0.2 * (tokens - 500) / 400) * (tokens > 500))
        for tokens in REGULAR.tolist()
    ]
    verdict = judge(reports, POLICY)
    assert verdict.state is State.REGRESSING
    assert verdict.evidence[0].startswith("NIAH-PPL, guard band loses 20 %")
    assert "was best at 100 tokens" in verdict.advice


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        (demo_reports(0)[:2], "needs three checkpoints"),
        (demo_reports(0)[:4], "do not span a horizon"),
        (demo_reports(0, ceiling_step=15)[:7], "at its ceiling"),
        (demo_reports(0)[:1], "At 0 tokens: NIAH score 0.480, NIAH-PPL 1.240."),
    ],
)
def test_the_evidence_says_what_is_missing(reports: Sequence[EvaluationReport], words: str) -> None:
    assert any(words in sentence for sentence in judge(reports, DEMO).evidence)


def test_min_tokens_are_named_when_they_alone_hold_a_saturation_back() -> None:
    flat = a_trajectory(REGULAR, np.zeros(len(REGULAR)))
    verdict = judge_trajectory(flat, with_changes(POLICY, min_tokens=2_000))
    assert (verdict.state, verdict.policy.min_tokens) == (State.UNDETERMINED, 2_000)
    assert any("before 2,000 tokens" in sentence for sentence in verdict.evidence)


def test_two_hundred_checkpoints_are_judged_in_a_second() -> None:
    rng = np.random.default_rng(0)
    reports = [
        a_report(tokens, rng.normal(0.1, 0.003), heads=rng.random((32, 32)))
        for tokens in range(100, 20_100, 100)
    ]
    start = time.process_time()
    judge(reports, with_changes(POLICY, horizon_tokens=2_500))
    assert time.process_time() - start < 1.0


def test_a_verdict_survives_the_store() -> None:
    verdict = judge(demo_reports(0)[:8], DEMO)
    assert type(verdict).from_json(verdict.to_json(), "verdict.json") == verdict


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.012, "1.2 %"), (-0.00001, "0 %"), (0.1, "10 %"), (-0.2345, "-23.45 %"), (1, "100 %")],
)
def test_shares_are_written_in_percent(share: float, text: str) -> None:
    assert percent(share) == text
