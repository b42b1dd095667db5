"""Two checkpoints: differences paired by cluster."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import a_value, declared, part, report_with
from scipy import stats

from lccp.analysis.comparison import Comparison, compare
from lccp.api.objects.report import EvaluationReport

CORPUS = {"corpora": ["english"]}


def a_report(
    tokens: int, name: str, values: dict[str, list[float]], **changes: Any
) -> EvaluationReport:
    """A report of one signal, whose clusters have these values."""
    mean = float(np.mean(next(iter(values.values()))))
    signal = a_value(declared(name), mean, values)
    probes = {"niah": part("niah", {"seed": 0}, [signal])}
    return report_with(**{"probes": probes, "tokens": tokens} | changes)


def compared(
    name: str, first: dict[str, list[float]], second: dict[str, list[float]]
) -> Comparison:
    return compare(a_report(100, name, first), a_report(200, name, second))


def test_an_interval_is_students_t_of_the_clusters_own_differences() -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(0.5, 0.2, 8)  # a cluster's own level, far wider than what changed
    gains = rng.normal(0.03, 0.01, 8)
    (found,) = compared(
        "niah_score", {"haystack": own.tolist()}, {"haystack": (own + gains).tolist()}
    ).differences
    expected = stats.t.interval(0.95, 7, gains.mean(), stats.sem(gains))
    assert found.gain == pytest.approx(gains.mean())
    assert found.interval == pytest.approx(expected)
    assert found.finding == "better"


def test_variances_of_haystacks_and_needles_add() -> None:
    haystacks, needles = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.3])
    (found,) = compared(
        "niah_score",
        {"haystack": [0.5, 0.5, 0.5], "needle": [0.5, 0.5]},
        {"haystack": (0.5 + haystacks).tolist(), "needle": (0.5 + needles).tolist()},
    ).differences
    variance = haystacks.var(ddof=1) / 3 + needles.var(ddof=1) / 2
    assert found.interval is not None
    half = (found.interval[1] - found.interval[0]) / 2
    assert half > stats.norm.ppf(0.975) * np.sqrt(variance)
    assert found.gain == pytest.approx(0.2)


def test_a_perplexity_that_falls_is_a_gain_on_its_logarithm() -> None:
    (found,) = compared("niah_ppl", {"haystack": [2.0, 2.0]}, {"haystack": [1.9, 1.9]}).differences
    assert found.values == (2.0, 1.9)
    assert found.gain == pytest.approx(np.log(2.0 / 1.9))
    (back,) = compared("niah_ppl", {"haystack": [1.9, 1.9]}, {"haystack": [2.0, 2.0]}).differences
    assert (back.gain, back.finding) == (pytest.approx(-found.gain), "worse")


def test_a_signal_without_clusters_has_no_interval() -> None:
    (found,) = compared("niah_score", {"haystack": [0.5]}, {"haystack": [0.7]}).differences
    assert (found.gain, found.interval) == (pytest.approx(0.2), None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source_context_length": 128}, "niah: was measured with different context lengths"),
        (
            {"probes": {"niah": part("niah", {"seed": 1}, [a_value(declared("niah_ppl"), 2.0)])}},
            "niah: was measured with different probe versions or settings",
        ),
        ({"probes": {}}, "niah: was measured at only one of the two"),
    ],
)
def test_what_was_measured_otherwise_is_left_out_and_named(
    changes: dict[str, object], why: str
) -> None:
    first = a_report(100, "niah_ppl", {"haystack": [2.0, 2.1]})
    found = compare(first, a_report(200, "niah_ppl", {"haystack": [2.0, 2.1]}, **changes))
    assert (found.differences, found.left_out) == ((), (why,))


@pytest.mark.slow
@given(st.lists(st.floats(1.0, 9.0), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_the_other_way_round_every_gain_has_the_other_sign(values: list[float], random) -> None:
    other = random.sample(values, len(values))
    first, second = {"haystack": values}, {"haystack": other}
    (there,) = compared("niah_ppl", first, second).differences
    (back,) = compared("niah_ppl", second, first).differences
    assert there.gain == pytest.approx(-back.gain, abs=1e-12)
    assert there.interval is not None
    assert back.interval is not None
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-12)


def test_an_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        before = rng.normal(0, 1, (10, 1)) + rng.normal(0, 1, (1, 6))
        change = 0.1 + rng.normal(0, 0.2, (10, 1)) + rng.normal(0, 0.2, (1, 6))
        grids = (before, before + change + rng.normal(0, 0.1, (10, 6)))
        (found,) = compared(
            "niah_score",
            *(
                {"haystack": grid.mean(1).tolist(), "needle": grid.mean(0).tolist()}
                for grid in grids
            ),
        ).differences
        assert found.interval is not None
        held += found.interval[0] < 0.1 < found.interval[1]
    assert 0.92 <= held / 300 <= 0.99
