"""Figures of the page: those with something to draw, in the registry's order."""

from dataclasses import replace

import a_branch
import a_run
import pytest

from lccp.probes.probe import SignalCurves
from lccp.probes.registry import PROBES
from lccp.report.judged import verdict_of
from lccp.report.load import RunData
from lccp.report.page.exhibits import ONE_PANEL_EACH, Exhibit, exhibits


def titles(data: RunData) -> list[str]:
    return [exhibit.title for exhibit in exhibits(data, verdict_of(data))]


@pytest.mark.slow
def test_the_gain_comes_after_the_first_chart_and_the_training_last(
    shown: tuple[Exhibit, ...],
) -> None:
    charts = [chart.title for probe in PROBES.values() for chart in probe.charts]

    titles = [exhibit.title for exhibit in shown]
    assert titles == [charts[0], "Gain per horizon", *charts[1:], "Training"]


@pytest.mark.slow
def test_without_arrays_beside_the_reports_the_courses_are_left(plain: RunData) -> None:
    first, *others = (c.title for c in PROBES["niah"].charts if isinstance(c, SignalCurves))

    assert titles(plain) == [first, "Gain per horizon", *others, "Training"]


def test_a_run_that_has_just_begun_has_its_training_alone() -> None:
    young = RunData("default/young", reports=(), history=a_run.history(steps=3))

    assert titles(young) == ["Training"]


def test_heat_maps_say_that_there_is_one_for_each_checkpoint(shown: tuple[Exhibit, ...]) -> None:
    captions = {exhibit.title: exhibit.caption for exhibit in shown}

    assert captions["Load of every expert"].endswith(ONE_PANEL_EACH.strip())
    assert {exhibit.title for exhibit in shown if exhibit.wide} == {
        title for title, caption in captions.items() if ONE_PANEL_EACH.strip() in caption
    }
    assert ONE_PANEL_EACH.strip() not in captions["Training"]


def test_signals_that_compare_checkpoints_are_drawn_from_the_arrays(
    data: RunData, shown: tuple[Exhibit, ...]
) -> None:
    """They are in no report."""
    drawn = {trace.name for exhibit in shown for trace in exhibit.figure.data if trace.name}
    compared = {s.title for p in PROBES.values() if p.comparison for s in p.comparison.signals}

    assert compared & drawn
    assert not compared & {signal.title for r in data.reports for signal in r.signals()}


@pytest.mark.slow
def test_branches_stand_beside_the_run_at_the_tokens_that_they_began_with(plain: RunData) -> None:
    at = a_run.CHECKPOINTS[4]
    branched = replace(plain, branches=(a_branch.report(at),))
    verdict = verdict_of(branched)
    (figure,) = (e.figure for e in exhibits(branched, verdict) if e.title.startswith("Branches"))
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    own, branch = drawn["NIAH-PPL"], drawn["anneal: NIAH-PPL"]
    assert list(branch.x) == [own.x[4]]
    assert list(branch.y) == [a_branch.annealed(own.y[4])]
    assert (own.marker.symbol, branch.marker.symbol) == ("circle", "diamond")
