import numpy as np
import pytest
from scipy import stats

from lccp_evaluator.probes.statistics.intervals import interval


def test_with_one_kind_of_clusters_it_is_the_interval_of_students_t():
    values = np.random.default_rng(0).normal(5, 2, 9)
    expected = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))

    assert interval(values.mean(), {"haystack": values}) == pytest.approx(expected)


def test_variances_of_kinds_add_with_welch_and_satterthwaites_degrees():
    rng = np.random.default_rng(1)
    haystacks, needles = rng.normal(0, 1, 10), rng.normal(0, 3, 4)
    haystacks -= haystacks.mean()
    needles -= needles.mean()
    welch = stats.ttest_ind(haystacks, needles, equal_var=False).confidence_interval(0.95)

    found = interval(0.0, {"haystack": haystacks, "needle": needles})

    assert found == pytest.approx((welch.low, welch.high))


def test_it_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        grid = rng.normal(0, 1, (10, 1)) + rng.normal(0, 0.7, (1, 6)) + rng.normal(0, 0.5, (10, 6))
        low, high = interval(grid.mean(), {"haystack": grid.mean(1), "needle": grid.mean(0)})
        held += low < 0 < high
    assert held / 400 >= 0.93


def test_without_two_clusters_of_a_kind_there_is_none():
    assert interval(1.0, {"needle": np.array([1.0])}) is None
    assert interval(1.0, {}) is None


def test_clusters_that_do_not_differ_leave_no_doubt():
    assert interval(2.0, {"needle": np.array([2.0, 2.0])}) == (2.0, 2.0)
