"""Correlations of signals along a run, against scipy and against known results."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reports import a_report
from scipy import stats

from lccp.analysis.correlation import (
    EXACT_MAX,
    FEW,
    FEWEST,
    Association,
    Correlations,
    association,
    correlations,
    holm,
)
from lccp.analysis.verdict import judge
from lccp.api.objects.policy import Policy

VALUES = st.integers(-50, 50)
POLICY = Policy(horizon_tokens=4_000)


def varying(least: int, most: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    def varies(values: list[tuple[int, int]]) -> bool:
        return all(len(set(own)) > 1 for own in zip(*values, strict=True))

    return st.lists(st.tuples(VALUES, VALUES), min_size=least, max_size=most).filter(varies)


def associated(values: Sequence[tuple[float, float]]) -> Association:
    x, y = np.array(values, dtype=float).T
    found = association(x, y)
    assert found is not None
    return found


@pytest.mark.slow
@given(varying(4, 30))
def test_coefficients_are_those_of_scipy(values: list[tuple[int, int]]) -> None:
    found = associated(values)
    x, y = zip(*values, strict=True)
    assert found.n == len(values)
    assert found.pearson == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.slow
@given(varying(4, 30))
def test_the_interval_is_fishers(values: list[tuple[int, int]]) -> None:
    found = associated(values)
    assume(abs(found.pearson) < 0.999)
    expected = stats.pearsonr(*zip(*values, strict=True)).confidence_interval(0.95)
    assert found.interval == pytest.approx((expected.low, expected.high))


@pytest.mark.slow
@settings(max_examples=20)
@given(varying(4, 5))
def test_p_counts_all_permutations(values: list[tuple[int, int]]) -> None:
    found = associated(values)
    x, y = (stats.rankdata(own) for own in zip(*values, strict=True))
    every = stats.permutation_test(
        (y,),
        lambda ranks: abs(float(np.corrcoef(x, ranks)[0, 1])) + 1e-9,
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
    )
    observed = abs(float(np.corrcoef(x, y)[0, 1]))
    expected = float(np.mean(every.null_distribution >= observed))
    assert found.p == pytest.approx(expected)


@pytest.mark.parametrize("n", [5, 6, 8, 9, 12, 40])
def test_no_order_is_rarer_than_two_in_all_permutations(n: int) -> None:
    p = associated([(i, i**2) for i in range(n)]).p
    assert p >= 2 / math.factorial(n) * (1 - 1e-9)
    if n <= EXACT_MAX:
        assert p == pytest.approx(2 / math.factorial(n))


@pytest.mark.slow
@given(varying(EXACT_MAX + 1, 30))
def test_beyond_the_exact_ones_p_is_that_of_scipy(values: list[tuple[int, int]]) -> None:
    found = associated(values)
    expected = stats.spearmanr(*zip(*values, strict=True)).pvalue
    assert found.p == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.slow
@given(varying(4, 12), st.integers(1, 9), st.integers(-9, 9))
def test_neither_unit_nor_order_nor_direction_matters(
    values: list[tuple[int, int]], slope: int, shift: int
) -> None:
    found = associated(values)
    turned = associated([(slope * y + shift, -x) for x, y in values])
    assert turned.pearson == pytest.approx(-found.pearson)
    assert turned.spearman == pytest.approx(-found.spearman)
    assert turned.p == pytest.approx(found.p)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holms_values_reject_what_his_steps_reject(p: list[float]) -> None:
    adjusted = holm(p)
    for alpha in (0.01, 0.05, 0.5):
        rejected = set()
        for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if (len(p) - rank) * p[i] > alpha:
                break
            rejected.add(i)
        assert {i for i, value in enumerate(adjusted) if value <= alpha} == rejected


def test_what_does_not_vary_has_no_correlation() -> None:
    assert association(np.ones(6), np.arange(6.0)) is None
    assert association(np.arange(6.0), np.full(6, 0.1)) is None


def test_values_beside_the_limits_of_a_float_have_one() -> None:
    x = np.arange(6.0)
    assert associated(list(zip(x * 1e-200, x * 1e200, strict=True))).pearson == pytest.approx(1)


def a_table(nlls: Sequence[float], policy: Policy = POLICY, **changes: object) -> Correlations:
    reports = [
        a_report(
            1_000 * (i + 1),
            nll,
            score=0.5 + 0.01 * (i % 3),
            spread=0.01,
            heads=np.full((2, 3), 1 / (1 + nll)),
        )
        for i, nll in enumerate(nlls)
    ]
    return correlations(judge(reports, policy))


FALLING = [2 / (1 + i) + 0.05 * (i % 2) for i in range(8)]


def test_the_verdicts_signals_are_set_beside_those_of_other_probes_once() -> None:
    table = a_table(FALLING)
    named = [(pair.first.name, pair.second.name) for pair in table.pairs]
    assert len(set(map(frozenset, named))) == len(named)
    assert {first for first, _ in named} == {"niah_ppl", "niah_score"}
    assert ("niah_ppl", "niah_score") in named
    assert ("niah_score", "retrieval_score_mean") in named
    assert "recovery" not in {second for _, second in named}  # of the same samples


def test_signals_are_oriented_so_that_better_is_positive() -> None:
    """NIAH-PPL falls while the heads' scores rise."""
    named = {(pair.first.name, pair.second.name): pair for pair in a_table(FALLING).pairs}
    assert named["niah_ppl", "retrieval_score_mean"].levels.spearman == pytest.approx(1)


def test_differences_have_one_pair_less_and_their_own_family_of_tests() -> None:
    table = a_table(FALLING)
    differences = [pair.differences for pair in table.pairs if pair.differences]
    assert differences
    assert {one.n for one in differences} == {7}
    assert [d.p_adjusted for d in differences] == holm([d.p for d in differences])
    levels = [pair.levels for pair in table.pairs]
    assert [one.p_adjusted for one in levels] == holm([one.p for one in levels])


def test_the_clearest_differences_stand_first() -> None:
    p = [pair.differences.p for pair in a_table(FALLING).pairs if pair.differences]
    assert p == sorted(p)


def test_the_warm_up_is_left_out() -> None:
    table = a_table(FALLING, POLICY.model_copy(update={"warmup_tokens": 2_000}))
    assert {pair.levels.n for pair in table.pairs} == {6}


@pytest.mark.slow
def test_few_checkpoints_are_warned_of_and_too_few_give_no_table() -> None:
    (_, warning) = a_table(FALLING).notes
    assert warning.startswith("Some pairs have 8 checkpoints")
    long = a_table([2 / (1 + i) + 0.05 * (i % 2) for i in range(FEW)])
    assert len(long.notes) == 1
    none = a_table(FALLING[: FEWEST - 1])
    assert none.pairs == ()
    assert none.notes == ("No two signals have 5 checkpoints in common at which both vary.",)


def significant(values: Sequence[Association]) -> float:
    return float(np.mean([one.p <= 0.05 for one in values]))


def test_unrelated_signals_that_level_off_correlate_by_their_levels() -> None:
    """The reason why both are told. Noise of a tenth of what they rise, six checkpoints."""
    rng, at = np.random.default_rng(0), np.arange(6.0)
    levels, differences = [], []
    for _ in range(200):
        x, y = (1 - np.exp(-at / tau) + rng.normal(0, 0.1, 6) for tau in rng.uniform(1, 4, 2))
        levels.append(associated(list(zip(x, y, strict=True))))
        differences.append(associated(list(zip(np.diff(x), np.diff(y), strict=True))))
    assert significant(levels) > 0.5
    assert significant(differences) < 0.08
