"""The verdict over a run, and the order of events that it reports."""

import json
import math
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import a_report, declared, without_signals
from series import (
    NIAH_PPL,
    NIAH_PPL_GUARD,
    NIAH_SCORE,
    a_series,
    a_trajectory,
    with_changes,
)
from tiny_reports import DEMO, POLICY, REGULAR, STEP_TOKENS, demo_reports

from lccp.analysis.trajectory import Trajectory
from lccp.analysis.verdict import judge, judge_trajectory, verdict_state
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import CheckpointVerdict, Gain, GainState, VerdictState

State = VerdictState
G = GainState


def events(checkpoints: Sequence[CheckpointVerdict]) -> list[VerdictState]:
    return [state for state, _ in groupby(c.state for c in checkpoints)]


def first(checkpoints: Sequence[CheckpointVerdict], state: VerdictState) -> int:
    """Steps of the first checkpoint in `state`."""
    return next(c.tokens for c in checkpoints if c.state is state) // STEP_TOKENS


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_run_like_the_tiny_example_is_first_deceptive_and_then_saturated(seed: int) -> None:
    checkpoints = judge(demo_reports(seed, ceiling_step=15), DEMO).checkpoints
    assert checkpoints[0].state is checkpoints[1].state is State.UNDETERMINED
    assert 75 <= first(checkpoints, State.DECEPTIVELY_SATURATED) <= 150
    assert 250 <= first(checkpoints, State.SATURATED) <= 500
    assert State.REGRESSING not in events(checkpoints)
    assert checkpoints[-1].state is State.SATURATED


def test_a_score_that_rises_slowly_is_improving_before_it_is_deceptive() -> None:
    reports = demo_reports(0, ceiling_step=60, decay_steps=200)
    told = events(judge(reports, DEMO).checkpoints)
    order = [told.index(s) for s in (State.IMPROVING, State.DECEPTIVELY_SATURATED, State.SATURATED)]
    assert order == sorted(order)


WOBBLE = 1e-4 * (-1.0) ** np.arange(len(REGULAR))
FLAT = a_trajectory(REGULAR, WOBBLE)


def test_saturation_takes_a_plateau_through_patience_horizons() -> None:
    checkpoints = judge_trajectory(FLAT, POLICY).checkpoints
    assert [c.plateau_horizons for c in checkpoints] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert first_saturated(FLAT, POLICY) == 900
    assert first_saturated(FLAT, with_changes(POLICY, patience=3)) == 1_300
    assert first_saturated(FLAT, with_changes(POLICY, patience=4)) is None
    assert first_saturated(FLAT, with_changes(POLICY, min_tokens=1_150)) == 1_200


def first_saturated(trajectory: Trajectory, policy: Policy) -> int | None:
    checkpoints = judge_trajectory(trajectory, policy).checkpoints
    return next((c.tokens for c in checkpoints if c.state is State.SATURATED), None)


def _gain(signal: str, state: GainState, saturated: bool = False) -> Gain:
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
        saturated=saturated,
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
    gains = {
        NIAH_PPL: _gain(NIAH_PPL, signal, saturated),
        NIAH_SCORE: _gain(NIAH_SCORE, score_gain),
    }
    if guard:
        gains[NIAH_PPL_GUARD] = _gain(NIAH_PPL_GUARD, guard)
    signals = [declared(name) for name in (NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE)]
    values = {NIAH_SCORE: score}
    assert verdict_state(values, gains, signals, POLICY) is expected


@pytest.mark.parametrize(
    ("saturated", "quorum", "expected"),
    [
        ((True, True), None, State.SATURATED),
        ((True, False), None, State.IMPROVING),
        ((True, False), 1, State.SATURATED),
        ((False, False), 1, State.IMPROVING),
    ],
)
def test_a_quorum_of_primary_signals_makes_a_saturation(
    saturated: tuple[bool, bool], quorum: int | None, expected: VerdictState
) -> None:
    policy = with_changes(POLICY, signals=("a", "b"), quorum=quorum)
    gains = {
        name: _gain(name, G.PLATEAU if done else G.IMPROVING, done)
        for name, done in zip(policy.signals, saturated, strict=True)
    }
    assert verdict_state({}, gains, [], policy) is expected


def test_a_guard_that_the_policy_names_vetoes() -> None:
    policy = with_changes(POLICY, guards=("my_score",))
    gains = {
        NIAH_PPL: _gain(NIAH_PPL, G.PLATEAU, saturated=True),
        "my_score": _gain("my_score", G.REGRESSING),
    }
    assert verdict_state({}, gains, [], policy) is State.REGRESSING
    none = with_changes(POLICY, guards=())
    assert verdict_state({}, gains, [], none) is State.SATURATED


def test_under_a_decaying_rate_nothing_is_saturated_and_the_evidence_says_why() -> None:
    reports = demo_reports(0, ceiling_step=15)
    verdict = judge(reports, with_changes(DEMO, constant_schedule=False))
    assert State.SATURATED not in events(verdict.checkpoints)
    assert verdict.checkpoints[-1].plateau_horizons >= DEMO.patience
    assert any("learning rate decays" in sentence for sentence in verdict.evidence)
    assert verdict.forecast is not None
    assert verdict.forecast.budget == "Unknown"


def test_a_first_look_saturates_nothing_and_the_evidence_says_so() -> None:
    def quick(report: EvaluationReport) -> EvaluationReport:
        niah = report.probes["niah"]
        settings = niah.settings | {"preset": "Quick"}
        probe = niah.model_copy(update={"settings": settings})
        return report.model_copy(update={"probes": report.probes | {"niah": probe}})

    reports = demo_reports(0, ceiling_step=15)
    assert judge(reports, DEMO).state is State.SATURATED
    verdict = judge(map(quick, reports), DEMO)

    assert State.SATURATED not in events(verdict.checkpoints)
    assert State.DECEPTIVELY_SATURATED in events(verdict.checkpoints)
    assert verdict.checkpoints[-1].plateau_horizons >= DEMO.patience
    assert (
        "NIAH-PPL was measured with a preset for a first look, which decides nothing, so it is "
        "never judged saturated." in verdict.evidence
    )
    assert verdict.advice == (
        "Measure it with more samples: a preset for a first look decides nothing."
    )


def test_warm_up_and_base_are_shown_but_not_fitted() -> None:
    policy = with_changes(POLICY, warmup_tokens=300)
    values = np.where(REGULAR <= 300, -1.0, WOBBLE)
    verdict = judge_trajectory(a_trajectory([0, *REGULAR], [-2.0, *values]), policy)
    assert [c.tokens for c in verdict.checkpoints] == [0, *REGULAR]
    assert all(not c.gains for c in verdict.checkpoints[:6])
    assert verdict.checkpoints[6].gains[0].gain == pytest.approx(0, abs=0.001)
    assert verdict.checkpoints[0].values[NIAH_PPL] == pytest.approx(math.exp(2))
    assert verdict.state is State.SATURATED


def test_signals_of_other_suites_are_judged_where_they_were_last_measured() -> None:
    """A guard that is measured at every fourth checkpoint alone vetoes in between as well."""
    few = REGULAR[3::4]
    loses = np.where(few > 400, -(few - 400) / 1_000, 0.0)
    series = dict(FLAT.series) | {NIAH_PPL_GUARD: a_series(few, loses, NIAH_PPL_GUARD)}
    verdict = judge_trajectory(Trajectory(series), POLICY)
    told = {c.tokens: c.state for c in verdict.checkpoints}
    assert told[1_500] is State.SATURATED
    assert told[1_600] is State.REGRESSING
    later = judge_trajectory(
        Trajectory(series | {NIAH_PPL: a_series(*extended(200))}), POLICY
    ).checkpoints[-1]
    assert (later.tokens, later.gain(NIAH_PPL_GUARD), later.state) == (
        1_800,
        None,
        State.REGRESSING,
    )


def extended(more: int) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.arange(100, 1_600 + more + 1, 100)
    return tokens, 1e-4 * (-1.0) ** np.arange(len(tokens))


def test_checkpoints_are_those_of_all_primary_signals() -> None:
    other = a_series(REGULAR[::2] + 50, np.linspace(0, 1, 8), NIAH_SCORE)
    trajectory = Trajectory(dict(FLAT.series) | {NIAH_SCORE: other})
    both = with_changes(POLICY, signals=(NIAH_PPL, NIAH_SCORE))
    assert len(judge_trajectory(trajectory, POLICY).checkpoints) == len(REGULAR)
    assert len(judge_trajectory(trajectory, both).checkpoints) == len(REGULAR) + 8


def test_weights_that_do_not_move_are_undetermined_and_said_to_be() -> None:
    frozen = a_trajectory(REGULAR, np.full(len(REGULAR), -0.7))
    verdict = judge_trajectory(frozen, POLICY)
    assert {c.state for c in verdict.checkpoints} == {State.UNDETERMINED}
    assert "the weights do not move" in verdict.evidence[0]
    assert verdict.advice.startswith("Check the trainer")


@pytest.mark.slow
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
    verdict = judge_trajectory(FLAT, POLICY)
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


@pytest.mark.slow
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
    assert "no length exceeds the source context" in verdict.evidence[0]
    assert "Measure lengths beyond" in verdict.advice


@pytest.mark.slow
def test_ten_signals_of_forty_checkpoints_are_judged_in_a_second_and_little_memory() -> None:
    trajectory = many_signals(40, 10)
    tracemalloc.start()
    start = time.process_time()
    judge_trajectory(trajectory, with_changes(POLICY, horizon_tokens=500))
    assert time.process_time() - start < 1.0
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.slow
def test_time_grows_with_the_checkpoints_alone() -> None:
    times = []
    for count in (1_000, 10_000):
        trajectory = many_signals(count, 2)
        start = time.process_time()
        judge_trajectory(trajectory, with_changes(POLICY, horizon_tokens=12 * count))
        times.append(time.process_time() - start)
    assert times[1] < 10
    assert times[1] < 40 * times[0]


def many_signals(checkpoints: int, count: int) -> Trajectory:
    rng, tokens = np.random.default_rng(0), np.arange(1, checkpoints + 1) * 100
    series = {}
    for i in range(count):
        name = NIAH_PPL if not i else f"signal_{i}"
        one = a_series(tokens, rng.normal(0, 0.003, checkpoints), spread=0.003, seed=i)
        series[name] = replace(one, signal=one.signal.model_copy(update={"name": name}))
    return Trajectory(series)


def test_a_verdict_survives_the_store() -> None:
    verdict = judge(demo_reports(0)[:14], with_changes(DEMO, gate=("niah_ppl < 1.2",)))
    json.loads(verdict.to_json(), parse_constant=pytest.fail)
    assert type(verdict).from_json(verdict.to_json(), "verdict.json") == verdict
