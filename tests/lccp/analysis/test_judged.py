"""What the rules conclude about one signal, by token count."""

import numpy as np
import pytest
from series import NIAH_PPL, NIAH_SCORE, a_series, with_changes
from tiny_reports import POLICY, REGULAR

from lccp.analysis.judged import JudgedSignal, grid_of, measure_of
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import GainState

WOBBLE = 1e-4 * (-1.0) ** np.arange(len(REGULAR))


def judged(series: Series, policy: Policy = POLICY) -> JudgedSignal:
    found = JudgedSignal.of(series, policy)
    assert found is not None
    return found


FLAT = judged(a_series(REGULAR, WOBBLE))


def test_a_horizon_far_beyond_the_checkpoints_has_no_gain() -> None:
    """A line over them would be drawn out more than tenfold."""
    span = int(REGULAR[-1] - REGULAR[0])
    series = a_series(REGULAR, REGULAR / 4_000)
    within, beyond = (
        judged(series, POLICY.model_copy(update={"horizon_tokens": horizon}))
        for horizon in (10 * span, 11 * span)
    )
    assert list(within.gains) == [REGULAR[-1]]
    assert within.at(10_000) is not None
    assert not beyond.gains
    assert beyond.at(10_000) is None


def test_a_horizon_shorter_than_a_step_saturates_nothing() -> None:
    policy = POLICY.model_copy(update={"horizon_tokens": 25, "rounding_tokens": 24})
    assert judged(a_series(REGULAR, WOBBLE), policy).saturated.any()
    longer = policy.model_copy(update={"rounding_tokens": 25})
    assert not judged(a_series(REGULAR, WOBBLE), longer).saturated.any()


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (WOBBLE, GainState.PLATEAU),
        (REGULAR / 4_000, GainState.IMPROVING),
        (-REGULAR / 4_000, GainState.REGRESSING),
    ],
)
def test_a_signal_is_told_by_its_newest_gain(values: np.ndarray, state: GainState) -> None:
    gain = judged(a_series(REGULAR, values)).at(10_000)

    assert gain is not None
    assert gain.state is state
    assert gain.lower <= gain.gain <= gain.upper


def test_gains_begin_at_the_third_fitted_checkpoint() -> None:
    assert list(FLAT.gains) == REGULAR[2:].tolist()
    assert FLAT.at(299) is None
    assert FLAT.at(350) == FLAT.gains[300]
    assert not FLAT.gains[300].spans_horizon
    assert FLAT.gains[500].spans_horizon


def test_the_warm_up_and_the_untrained_model_are_not_fitted() -> None:
    series = a_series([0, *REGULAR], [0, *WOBBLE])

    assert judged(series).tokens[0] == 100
    assert judged(series, with_changes(POLICY, warmup_tokens=250)).tokens[0] == 300
    assert JudgedSignal.of(series, with_changes(POLICY, warmup_tokens=2_000)) is None


def test_a_signal_of_one_cluster_is_not_judged() -> None:
    series = a_series(REGULAR, WOBBLE)
    alone = Series(series.signal, series.tokens, series.values, {"haystack": WOBBLE[:, None]})

    assert JudgedSignal.of(alone, POLICY) is None


def test_a_saturation_is_said_of_primary_signals_after_the_least_tokens_alone() -> None:
    assert FLAT.saturated.any()
    assert FLAT.gains[1_600].line is not None
    early = with_changes(POLICY, min_tokens=1_601)
    assert not judged(a_series(REGULAR, WOBBLE), early).saturated.any()
    decaying = with_changes(POLICY, constant_schedule=False)
    assert not judged(a_series(REGULAR, WOBBLE), decaying).saturated.any()
    shown = judged(a_series(REGULAR, WOBBLE, NIAH_SCORE))
    assert not shown.is_primary
    assert not shown.saturated.any()
    assert shown.gains[1_600].line is None


def test_the_line_of_a_saturation_lies_within_the_least_gain() -> None:
    line = FLAT.gains[1_600].line

    assert line is not None
    assert abs(line.gain) + line.half_width < POLICY.min_gain
    assert line.from_tokens <= 1_600 - line.horizons * POLICY.horizon_tokens


def test_a_gain_per_doubling_knows_no_horizon() -> None:
    """Values that rise by 0.1 with every doubling of tokens."""
    gain = judged(a_series(REGULAR, 0.1 * np.log2(REGULAR))).at(1_600)

    assert gain is not None
    assert gain.per_doubling == pytest.approx(0.1)


def test_three_equal_values_stand_still() -> None:
    still = judged(a_series(REGULAR[:4], [0.1, 0.2, 0.2, 0.2], NIAH_PPL))

    assert [still.still_at(tokens) for tokens in (50, 300, 400)] == [False, False, True]


def test_plateau_horizons_are_counted_end_to_end() -> None:
    assert FLAT.plateau_horizons[1_600] == 3
    assert FLAT.plateau_horizons[900] == 2
    assert FLAT.plateau_horizons[100] == 0


def test_the_policy_is_measured_in_horizons() -> None:
    policy = with_changes(
        POLICY, rounding_tokens=40, budget_tokens=4_000, min_gains={NIAH_SCORE: 0.2}
    )

    grid = grid_of(np.array([200, 800]), policy)
    assert grid.at.tolist() == [0.5, 2.0]
    assert grid.rounding == 0.1
    assert measure_of(policy, NIAH_SCORE).min_gain == 0.2
    assert measure_of(policy, NIAH_PPL).min_gain == POLICY.min_gain
    assert measure_of(policy, NIAH_PPL).horizons == 10
    assert measure_of(POLICY, NIAH_PPL).horizons is None
