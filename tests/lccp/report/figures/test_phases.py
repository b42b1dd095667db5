"""The verdict behind a curve."""

import a_run
import pytest
from drawn import lines

from lccp.api.objects.verdict import Verdict
from lccp.probes import niah
from lccp.probes.probe import SignalCurves
from lccp.report.figures.course import course
from lccp.report.states import phases

NIAH_COURSE = next(chart for chart in niah.PROBE.charts if isinstance(chart, SignalCurves))


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return a_run.verdict()


def test_phases_are_shaded_and_the_saturation_is_marked(verdict: Verdict) -> None:
    figure = course(NIAH_COURSE, lines(), verdict)
    assert figure is not None
    marks = [shape for shape in figure.layout.shapes if shape.type == "line"]
    shades = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert verdict.since_tokens is not None
    assert {mark.x0 for mark in marks} == {verdict.since_tokens / 1e6}
    assert len(shades) == 2 * len(phases(verdict.checkpoints))


@pytest.mark.slow
def test_an_unsaturated_run_has_no_mark() -> None:
    some = a_run.reports(a_run.CHECKPOINTS[:6])
    figure = course(NIAH_COURSE, lines(some), a_run.verdict(some))
    assert figure is not None
    assert not [shape for shape in figure.layout.shapes if shape.type == "line"]


def test_each_state_is_named_once(verdict: Verdict) -> None:
    figure = course(NIAH_COURSE, lines(), verdict)

    assert figure is not None
    named = [trace.name for trace in figure.data if trace.legend == "legend2"]
    assert len(named) == len(set(named)) == len({c.state for c in verdict.checkpoints})
