"""Which reports make a trajectory, and what it holds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import a_report, changed, declared, without_signals
from series import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE

from lccp.analysis.trajectory import Trajectory, in_its_unit, oriented
from lccp.api.objects.report import EvaluationReport

HEADS = np.array([[0.3, 0.0], [0.05, 0.2]])


def with_niah(report: EvaluationReport, **changes: Any) -> EvaluationReport:
    niah = report.probes["niah"].model_copy(update=changes)
    return report.model_copy(update={"probes": {**report.probes, "niah": niah}})


def test_checkpoints_are_sorted_and_rising_is_better() -> None:
    trajectory = Trajectory.from_reports([a_report(300, 0.1, 0.9), a_report(100, 0.2, 0.4)])
    series = trajectory.series
    assert trajectory.checkpoints() == series[NIAH_PPL].tokens.tolist() == [100, 300]
    assert series[NIAH_PPL].values == pytest.approx([-0.2, -0.1])
    assert series[NIAH_SCORE].values.tolist() == [0.4, 0.9]
    assert series[NIAH_PPL_GUARD].values == pytest.approx([-0.05, -0.05])


@given(st.sampled_from([NIAH_PPL, NIAH_SCORE]), st.floats(0.01, 1e6))
def test_a_value_comes_back_from_its_orientation(name: str, value: float) -> None:
    signal, values = declared(name), np.array([value])
    assert in_its_unit(signal, oriented(signal, values)) == pytest.approx(values)


def test_clusters_are_kept_by_kind() -> None:
    report = a_report(100, 0.2, spread=0.01)
    clusters = Trajectory.from_reports([report]).series[NIAH_PPL].clusters
    signal = report.signal(NIAH_PPL)
    assert signal is not None
    assert {kind: means.shape for kind, means in clusters.items()} == {
        "haystack": (1, 6),
        "needle": (1, 4),
    }
    assert np.exp(-clusters["haystack"][0]) == pytest.approx(signal.by_cluster["haystack"])


def test_signals_without_a_band_are_absent() -> None:
    series = Trajectory.from_reports([a_report(100, 0.2, guard_nll=None)]).series
    assert NIAH_PPL in series
    assert NIAH_PPL_GUARD not in series


def test_no_reports_make_an_empty_trajectory() -> None:
    assert Trajectory.from_reports([]).checkpoints() == []


def test_the_base_and_the_warm_up_are_not_fitted() -> None:
    reports = [a_report(tokens, 0.2) for tokens in (0, 50, 100, 150)]
    series = Trajectory.from_reports(reports).series[NIAH_PPL]
    assert series.fitted(warmup_tokens=50).tolist() == [2, 3]
    assert series.fitted(warmup_tokens=0).tolist() == [1, 2, 3]


ALIKE = [a_report(100, 0.2), a_report(300, 0.1)]
UNLIKE = {
    "twice": (a_report(300, 0.3, checkpoint_digest="f" * 64), "exists twice"),
    "samples": (with_niah(a_report(200, 0.1), samples_digest="6b" * 32), "different samples"),
    "source context": (a_report(200, 0.1, source_context_length=128), "different context lengths"),
    "probe version": (with_niah(a_report(200, 0.1), version=2), "versions or settings"),
    "settings": (with_niah(a_report(200, 0.1), settings={"seed": 1}), "versions or settings"),
}


@pytest.mark.parametrize(("report", "words"), UNLIKE.values(), ids=UNLIKE)
def test_what_cannot_be_compared_is_left_out_and_named(
    report: EvaluationReport, words: str
) -> None:
    trajectory = Trajectory.from_reports([report, *ALIKE])
    assert trajectory.series[NIAH_PPL].tokens.tolist() == [100, 300]
    (exclusion,) = trajectory.excluded
    assert exclusion.tokens == report.tokens
    assert f"report at {report.tokens} tokens" in exclusion.reason
    assert words in exclusion.reason


def test_of_two_kinds_the_more_frequent_counts_even_if_the_other_is_older() -> None:
    odd = with_niah(a_report(0, 0.5), version=7)
    trajectory = Trajectory.from_reports([odd, *ALIKE])
    assert trajectory.series[NIAH_PPL].tokens.tolist() == [100, 300]
    assert [exclusion.tokens for exclusion in trajectory.excluded] == [0]


def test_a_probe_that_only_some_checkpoints_have_excludes_none_of_them() -> None:
    trajectory = Trajectory.from_reports([*ALIKE, a_report(200, 0.1, heads=HEADS)])
    assert trajectory.excluded == ()
    assert trajectory.series[NIAH_PPL].tokens.tolist() == [100, 200, 300]
    assert trajectory.series["retrieval_heads"].tokens.tolist() == [200]


def test_a_signal_that_is_not_defined_at_a_checkpoint_excludes_nothing() -> None:
    trajectory = Trajectory.from_reports([*ALIKE, a_report(200, 0.1, guard_nll=None)])
    assert trajectory.excluded == ()
    assert trajectory.series[NIAH_PPL].tokens.tolist() == [100, 200, 300]
    assert trajectory.series[NIAH_PPL_GUARD].tokens.tolist() == [100, 300]


def test_other_numbers_of_clusters_cannot_be_compared() -> None:
    def cut(signal: Any) -> Any:
        fewer = {**signal.by_cluster, "haystack": signal.by_cluster["haystack"][:3]}
        return signal.model_copy(update={"by_cluster": fewer})

    trajectory = Trajectory.from_reports([*ALIKE, changed(a_report(200, 0.1), cut)])
    assert "different clusters" in trajectory.excluded[0].reason


def test_one_checkpoint_at_several_token_counts_is_named_and_counted_once() -> None:
    copies = [a_report(tokens, 0.2, checkpoint_digest="ab" * 32) for tokens in (100, 200, 300)]
    trajectory = Trajectory.from_reports(copies)
    assert trajectory.series[NIAH_PPL].tokens.tolist() == [100]
    assert [exclusion.tokens for exclusion in trajectory.excluded] == [200, 300]
    reason = trajectory.excluded[1].reason
    assert "of the same checkpoint as the report at 100 tokens (abababababab…)" in reason


def test_suites_are_compared_apart() -> None:
    other = without_signals(a_report(100, 0.4), NIAH_PPL_GUARD).model_copy(
        update={"suite": "mine", "probes": {}}
    )
    assert Trajectory.from_reports([*ALIKE, other]).excluded == ()
