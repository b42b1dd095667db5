"""Which reports make a trajectory, and what it holds."""

from typing import Any

import numpy as np
import pytest
from series import a_report, heads_result

from lccp.analysis.trajectory import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE, Trajectory
from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import InvalidInput

HEADS = np.array([[0.3, 0.0], [0.05, 0.2]])


def with_niah(report: EvaluationReport, **changes: Any) -> EvaluationReport:
    niah = report.probes.niah.model_copy(update=changes)
    probes = report.probes.model_copy(update={"niah": niah})
    return report.model_copy(update={"probes": probes})


def test_checkpoints_are_sorted_and_rising_is_better() -> None:
    trajectory = Trajectory.from_reports([a_report(300, 0.1, 0.9), a_report(100, 0.2, 0.4)])
    assert trajectory.tokens.tolist() == [100, 300]
    assert trajectory.signals[NIAH_PPL].values.tolist() == [-0.2, -0.1]
    assert trajectory.signals[NIAH_SCORE].values.tolist() == [0.4, 0.9]
    assert trajectory.signals[NIAH_PPL_GUARD].values.tolist() == [-0.05, -0.05]


def test_clusters_are_kept_by_haystack_and_needle() -> None:
    report = a_report(100, 0.2, spread=0.01)
    signal = Trajectory.from_reports([report]).signals[NIAH_PPL]
    band = report.probes.niah.bands["extension"]
    assert (-signal.by_haystack[0]).tolist() == list(band.nll_by_haystack)
    assert (-signal.by_needle[0]).tolist() == list(band.nll_by_needle)


def test_without_lengths_inside_the_source_context_there_is_no_guard() -> None:
    signals = Trajectory.from_reports([a_report(100, 0.2, guard_nll=None)]).signals
    assert set(signals) == {NIAH_PPL, NIAH_SCORE}


def test_no_reports_make_an_empty_trajectory() -> None:
    assert len(Trajectory.from_reports([]).tokens) == 0


def test_the_base_and_the_warm_up_are_not_fitted() -> None:
    trajectory = Trajectory.from_reports([a_report(tokens, 0.2) for tokens in (0, 50, 100, 150)])
    assert trajectory.fitted(warmup_tokens=50).tolist() == [2, 3]
    assert trajectory.fitted(warmup_tokens=0).tolist() == [1, 2, 3]


FIRST = a_report(100, 0.2)
UNLIKE = {
    "twice": (a_report(100, 0.1), "there twice"),
    "samples": (a_report(200, 0.1, samples_digest="6b" * 32), "other samples"),
    "source context": (a_report(200, 0.1, source_context_length=128), "other context lengths"),
    "probe version": (with_niah(a_report(200, 0.1), version=2), "versions or settings"),
    "settings": (with_niah(a_report(200, 0.1), settings={"seed": 1}), "versions or settings"),
    "heads too": (a_report(200, 0.1, heads=heads_result(HEADS)), "versions or settings"),
    "no guard": (a_report(200, 0.1, guard_nll=None), "other bands"),
    "not a number": (a_report(200, float("nan")), "niah_ppl is not a finite number"),
}


@pytest.mark.parametrize(("report", "words"), UNLIKE.values(), ids=UNLIKE)
def test_reports_that_cannot_be_compared_are_refused(report: EvaluationReport, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refusal:
        Trajectory.from_reports([FIRST, report])
    assert f"report at {report.tokens}" in str(refusal.value)


def test_other_numbers_of_clusters_are_refused() -> None:
    report = a_report(200, 0.1)
    band = report.probes.niah.bands["extension"]
    cut = band.model_copy(update={"nll_by_haystack": band.nll_by_haystack[:3]})
    bands = dict(report.probes.niah.bands) | {"extension": cut}
    with pytest.raises(InvalidInput, match="bands or clusters"):
        Trajectory.from_reports([FIRST, with_niah(report, bands=bands)])


def test_without_lengths_beyond_the_source_context_there_is_no_verdict() -> None:
    report = a_report(100, 0.2)
    niah = report.probes.niah
    guard = with_niah(
        report,
        bands={"guard": niah.bands["guard"]},
        cells=tuple(cell for cell in niah.cells if cell.length == 128),
    )
    with pytest.raises(InvalidInput, match=r"lengths 128 all lie within .* 256 tokens"):
        Trajectory.from_reports([guard])


def test_one_haystack_and_one_needle_are_refused() -> None:
    report = a_report(100, 0.2)
    single = {
        f"{value}_by_{kind}": (0.2,)
        for value in ("nll", "score")
        for kind in ("haystack", "needle")
    }
    bands = {
        name: band.model_copy(update=single) for name, band in report.probes.niah.bands.items()
    }
    with pytest.raises(InvalidInput, match="at least two haystacks"):
        Trajectory.from_reports([with_niah(report, bands=bands)])
