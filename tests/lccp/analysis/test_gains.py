"""Gains, their intervals, and what they allow to say."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import declared
from series import a_series, with_changes

from lccp.analysis.gains import (
    CheckpointNoise,
    Variance,
    gain_state,
    gains,
    sampling_variance,
    slope_contrast,
    window_before,
    window_start,
)
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Gain, GainState

POLICY = Policy(horizon_tokens=400, min_gain=0.02)
REGULAR = np.arange(100, 1_300, 100)

spacings = st.lists(st.integers(1, 500), min_size=3, max_size=15)
values = st.lists(st.floats(-1, 1), min_size=15, max_size=15)


def tokens_of(steps: list[int]) -> np.ndarray:
    return np.cumsum(np.array(steps, dtype=np.int64))


def numbers(of: tuple[Gain | None, ...]) -> np.ndarray:
    return np.array([[g.gain, g.lower, g.upper] for g in of if g is not None])


@given(spacings, values)
def test_the_contrast_is_the_least_squares_slope_over_a_horizon(
    steps: list[int], y: list[float]
) -> None:
    tokens = tokens_of(steps)
    ours = slope_contrast(tokens, 400) @ np.array(y[: len(tokens)])
    slope = np.polynomial.Polynomial.fit(tokens, y[: len(tokens)], 1).convert().coef
    assert ours == pytest.approx(400 * (slope[1] if len(slope) > 1 else 0), abs=1e-6)


@given(spacings, values, st.floats(-5, 5))
def test_adding_a_constant_changes_no_gain(
    steps: list[int], y: list[float], constant: float
) -> None:
    tokens = tokens_of(steps)
    plain = a_series(tokens, y[: len(tokens)], spread=0.01)
    clusters = {kind: means + constant for kind, means in plain.clusters.items()}
    shifted = replace(plain, values=plain.values + constant, clusters=clusters)
    assert numbers(gains(plain, POLICY)) == pytest.approx(
        numbers(gains(shifted, POLICY)), rel=1e-6, abs=1e-6
    )


@given(spacings, values, st.integers(2, 10**6), st.integers(0, 10**9))
def test_gains_do_not_depend_on_the_unit_or_the_origin_of_tokens(
    steps: list[int], y: list[float], scale: int, shift: int
) -> None:
    tokens = tokens_of(steps)
    series = a_series(tokens, y[: len(tokens)], spread=0.01)
    scaled = with_changes(POLICY, horizon_tokens=scale * POLICY.horizon_tokens)
    plain = gains(series, POLICY)
    in_other_units = gains(replace(series, tokens=scale * tokens), scaled)
    assert numbers(in_other_units) == pytest.approx(numbers(plain), rel=1e-9)
    assert gains(replace(series, tokens=tokens + shift), POLICY) == plain


@given(spacings, values, st.randoms(use_true_random=False))
def test_the_order_of_haystacks_does_not_matter(
    steps: list[int], y: list[float], random: st.DataObject
) -> None:
    tokens = tokens_of(steps)
    series = a_series(tokens, y[: len(tokens)], spread=0.01)
    haystacks = series.clusters["haystack"]
    order = list(range(haystacks.shape[1]))
    random.shuffle(order)
    mixed = replace(series, clusters={**series.clusters, "haystack": haystacks[:, order]})
    assert numbers(gains(mixed, POLICY)) == pytest.approx(numbers(gains(series, POLICY)), rel=1e-9)


def test_a_straight_rise_without_noise_is_improving_from_the_third_checkpoint() -> None:
    found = gains(a_series(REGULAR, 0.1 * REGULAR / 400), POLICY)
    assert found[:2] == (None, None)
    assert {gain.state for gain in found[2:] if gain} == {GainState.IMPROVING}
    assert numbers(found) == pytest.approx(0.1)


def test_a_straight_fall_without_noise_is_regressing_before_a_horizon_is_spanned() -> None:
    found = gains(a_series(REGULAR[:3], -0.1 * REGULAR[:3] / 400), POLICY)
    assert found[2] is not None
    assert (found[2].state, found[2].spans_horizon) == (GainState.REGRESSING, False)


@pytest.mark.parametrize("level", [1.0, 0.1, -0.7])
def test_a_signal_that_does_not_move_never_regresses(level: float) -> None:
    tokens = np.array([61_440, 81_920, 102_400, 122_880, 143_360])
    still = gains(a_series(tokens, [level] * 5), with_changes(POLICY, horizon_tokens=409_600))
    assert [g.state for g in still if g is not None] == [GainState.UNDETERMINED] * 3


def test_a_flat_signal_is_a_plateau_only_after_a_whole_horizon() -> None:
    found = gains(a_series(REGULAR, np.zeros(len(REGULAR))), POLICY)
    states = [gain.state for gain in found if gain]
    assert states == [GainState.UNDETERMINED] * 2 + [GainState.PLATEAU] * 8


@pytest.mark.parametrize(
    ("lower", "upper", "spans", "state"),
    [
        (-0.019, 0.019, True, GainState.PLATEAU),
        (-0.019, 0.02, True, GainState.UNDETERMINED),
        (-0.02, 0.019, True, GainState.UNDETERMINED),
        (0.001, 0.019, True, GainState.PLATEAU),
        (0.001, 0.019, False, GainState.IMPROVING),
        (0.001, 0.021, True, GainState.IMPROVING),
        (-0.03, -0.001, True, GainState.REGRESSING),
        (-0.01, -0.001, True, GainState.PLATEAU),
        (-0.01, -0.001, False, GainState.REGRESSING),
        (0.0, 0.05, True, GainState.UNDETERMINED),
    ],
)
def test_states_follow_the_interval(
    lower: float, upper: float, spans: bool, state: GainState
) -> None:
    assert gain_state(lower, upper, 0.02, spans) is state


@pytest.mark.parametrize(
    ("tokens", "first", "before"),
    [
        ((100, 200, 300, 400, 500, 600, 700), 2, 2),
        ((100, 200, 250, 350, 500, 600, 700), 3, 2),
        ((100, 299, 301, 302, 303, 304, 700), 2, 1),
        ((100, 200, 300, 1_000, 2_000, 3_000), 3, 3),
        ((500, 600, 700), 0, None),
        ((100, 650, 700), 0, 0),
    ],
)
def test_windows_share_at_most_their_ends(
    tokens: tuple[int, ...], first: int, before: int | None
) -> None:
    k = len(tokens) - 1
    assert window_start(np.array(tokens), k, POLICY) == first
    assert window_before(np.array(tokens), k, POLICY) == before


@given(spacings, st.integers(1, 2_000), st.integers(0, 50))
def test_windows_end_to_end_hold_a_horizon_each(
    steps: list[int], horizon: int, rounding: int
) -> None:
    tokens, policy = tokens_of(steps), Policy(horizon_tokens=horizon, rounding_tokens=rounding)
    for k in range(2, len(tokens)):
        before = window_before(tokens, k, policy)
        if before is not None:
            assert before <= window_start(tokens, k, policy) < k
            assert tokens[k] - tokens[before] >= horizon - rounding


def test_checkpoints_made_at_the_end_of_a_step_keep_their_windows() -> None:
    asked_every_100_with_steps_of_8 = np.array([104, 200, 304, 400, 504, 600])
    exact = with_changes(POLICY, horizon_tokens=300)
    policy = with_changes(exact, rounding_tokens=7)
    windows = [
        (
            window_start(asked_every_100_with_steps_of_8, k, policy),
            window_before(asked_every_100_with_steps_of_8, k, policy),
        )
        for k in (3, 4, 5)
    ]
    assert windows == [(0, 0), (1, 1), (2, 2)]
    assert window_start(asked_every_100_with_steps_of_8, 4, exact) == 2
    assert window_before(asked_every_100_with_steps_of_8, 3, exact) is None


@given(spacings, st.floats(-1, 1), st.floats(-1, 1))
def test_a_line_has_no_checkpoint_noise(steps: list[int], slope: float, start: float) -> None:
    tokens = tokens_of(steps)
    noise = CheckpointNoise.of(tokens, start + slope * tokens / 100)
    assert noise.squares == pytest.approx(0, abs=1e-20)


def test_checkpoint_noise_is_estimated_without_bias_at_any_spacing() -> None:
    rng = np.random.default_rng(0)
    tokens = tokens_of([10, 90, 300, 20, 20, 160])
    drawn = [CheckpointNoise.of(tokens, rng.normal(0, 0.003, 6)).squares for _ in range(20_000)]
    assert np.mean(drawn, axis=0) == pytest.approx(9e-6, rel=0.03)


def test_noise_is_taken_from_two_horizons_or_the_last_three_differences() -> None:
    rng = np.random.default_rng(1)
    noise = CheckpointNoise.of(REGULAR, rng.normal(size=len(REGULAR)))
    degrees = [noise.variance(k, POLICY).degrees * 1.94 for k in range(2, 12)]
    assert degrees == pytest.approx([1, 2, 3, 4, 5, 6, 7, 7, 7, 7])
    short = with_changes(POLICY, horizon_tokens=50)
    assert noise.variance(11, short).value == pytest.approx(noise.squares[-3:].mean())


def test_the_larger_sampling_variance_counts() -> None:
    contrast = np.array([-1.0, 0.0, 1.0])
    haystacks = np.array([[0.0, 0.0], [0.0, 0.0], [0.1, 0.3]])
    needles = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.1, 0.2, 0.3]])
    three = a_series([100, 200, 300], haystacks.mean(axis=1))
    found = sampling_variance(
        contrast, replace(three, clusters={"haystack": haystacks, "needle": needles})
    )
    assert (found.value, found.degrees) == (pytest.approx(0.02 / 2), 1)
    single = {"haystack": haystacks[:, :1], "needle": needles}
    found = sampling_variance(contrast, replace(three, clusters=single))
    assert (found.value, found.degrees) == (pytest.approx(0.01 / 3), 2)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.5, 50), st.floats(0.5, 50))
def test_degrees_of_a_sum_lie_between_the_least_and_the_sum(
    a: float, b: float, degrees_a: float, degrees_b: float
) -> None:
    total = Variance(a, degrees_a) + Variance(b, degrees_b)
    assert total.value == a + b
    assert min(degrees_a, degrees_b) * (1 - 1e-9) <= total.degrees
    assert total.degrees <= (degrees_a + degrees_b) * (1 + 1e-9)


def test_degrees_are_those_of_welch() -> None:
    total = Variance(3.0, 4) + Variance(1.0, 9)
    assert total.degrees == pytest.approx(16 / (9 / 4 + 1 / 9))


def test_jitter_widens_the_interval_however_many_haystacks_there_are() -> None:
    rng = np.random.default_rng(2)
    jitter = a_series(REGULAR, rng.normal(0, 0.006, len(REGULAR)), spread=1e-5)
    last = gains(jitter, POLICY)[-1]
    assert last is not None
    assert last.checkpoint_sd > 100 * last.sampling_sd
    assert last.upper - last.lower > 4 * 1e-5


@pytest.mark.slow
def test_claims_are_false_less_often_than_the_confidence_allows() -> None:
    """One-sided, by checkpoint; at the third one alone Welch's degrees let it pass 5 %."""
    rng = np.random.default_rng(3)
    true, runs, tokens = 0.02, 2_000, REGULAR[:5]
    false = np.zeros(5)
    for _ in range(runs):
        haystacks = rng.normal(0, 0.004, (5, 20))
        common = true * tokens / 400 + rng.normal(0, 0.003, 5)
        values = common + haystacks.mean(axis=1)
        clusters = {"haystack": common[:, None] + haystacks, "needle": values[:, None]}
        series = Series(declared("niah_ppl"), tokens, values, clusters)
        for k, gain in enumerate(gains(series, POLICY)):
            false[k] += gain is not None and not gain.lower <= true <= gain.upper
    one_sided = false / (2 * runs)
    assert one_sided[3:].max() < 0.05
    assert one_sided[2] < 0.062 + 3 * math.sqrt(0.05 / (2 * runs))
