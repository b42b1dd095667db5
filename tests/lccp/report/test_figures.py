"""Figures hold the values that they are drawn from."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import a_run
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import CheckpointVerdict, Verdict, VerdictState
from lccp.probes import corpus_ppl, niah, retrieval_heads
from lccp.probes.probe import Course, HeatMaps, Profile
from lccp.report.figures import multiples, style
from lccp.report.figures.arrays import Measured, heat_maps, profile
from lccp.report.figures.course import Line, course, gain
from lccp.report.figures.training import loss_and_speed, running_mean
from lccp.report.states import phases

REPORTS = a_run.reports()
MILLIONS = [report.tokens / 1e6 for report in REPORTS]
NIAH_COURSE = next(chart for chart in niah.PROBE.charts if isinstance(chart, Course))
CORPUS_COURSE = next(chart for chart in corpus_ppl.PROBE.charts if isinstance(chart, Course))
(NIAH_MAPS,) = [chart for chart in niah.PROBE.charts if isinstance(chart, HeatMaps)]
DEPTHS, GUARD_DEPTHS = [chart for chart in niah.PROBE.charts if isinstance(chart, Profile)]
(HEAD_MAPS,) = [chart for chart in retrieval_heads.PROBE.charts if isinstance(chart, HeatMaps)]
LOST = niah.PROBE.charts[-1]
HEADS = next(chart for chart in retrieval_heads.PROBE.charts if isinstance(chart, Course))


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return a_run.verdict()


def lines(reports: Sequence[EvaluationReport] = REPORTS) -> dict[str, Line]:
    found: dict[str, Line] = {}
    for report in reports:
        for signal in report.signals():
            line = found.setdefault(signal.name, Line(signal, {}))
            points = {**line.points, report.tokens: (signal.value, signal.interval)}
            found[signal.name] = replace(line, points=points)
    return found


def measured(probe: str, reports: Sequence[EvaluationReport] = REPORTS) -> Measured:
    return [(report, a_run.details(report.tokens)[probe]) for report in reports]


def trace(figure: Any, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def values(name: str) -> list[float]:
    return [value for value, _ in lines()[name].points.values()]


def test_score_and_ppl_are_those_of_the_reports(verdict: Verdict) -> None:
    figure = course(NIAH_COURSE, lines(), verdict)
    assert list(trace(figure, "NIAH score").y) == values("niah_score")
    assert list(trace(figure, "NIAH-PPL").y) == values("niah_ppl")
    assert list(trace(figure, "NIAH-PPL, guard band").y) == values("niah_ppl_guard")
    assert list(trace(figure, "NIAH-PPL").x) == pytest.approx(MILLIONS)


def test_phases_are_shaded_and_the_saturation_is_marked(verdict: Verdict) -> None:
    figure = course(NIAH_COURSE, lines(), verdict)
    assert figure is not None
    marks = [shape for shape in figure.layout.shapes if shape.type == "line"]
    shades = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert verdict.since_tokens is not None
    assert {mark.x0 for mark in marks} == {verdict.since_tokens / 1e6}
    assert len(shades) == 2 * len(phases(verdict.checkpoints))


def test_an_unsaturated_run_has_no_mark() -> None:
    some = a_run.reports(a_run.CHECKPOINTS[:6])
    figure = course(NIAH_COURSE, lines(some), a_run.verdict(some))
    assert figure is not None
    assert not [shape for shape in figure.layout.shapes if shape.type == "line"]


def test_a_course_of_signals_that_were_not_measured_is_not_drawn(verdict: Verdict) -> None:
    assert course(NIAH_COURSE, {}, verdict) is None
    alone = {"niah_ppl": lines()["niah_ppl"]}
    figure = course(NIAH_COURSE, alone, verdict)
    assert figure is not None
    assert [one.name for one in figure.data if one.y[0] is not None] == ["NIAH-PPL"]


def a_corpus(tokens: Sequence[int]) -> dict[str, Line]:
    """A perplexity that follows 9 - 0.5 ln N, and is 20 at token 0, which the law leaves out."""
    signal = next(s for s in corpus_ppl.PROBE.signals(corpus_ppl.PROBE.usual))
    points = {at: (9 - 0.5 * math.log(at) if at else 20.0, None) for at in tokens}
    return {signal.name: Line(signal, points)}


def test_the_log_law_of_a_corpus_is_drawn_through_its_perplexity(verdict: Verdict) -> None:
    figure = course(CORPUS_COURSE, a_corpus(a_run.CHECKPOINTS), verdict)
    law = trace(figure, "Corpus PPL, english: A ln N + B")
    tokens = 1e6 * np.array(law.x)
    assert list(law.y) == pytest.approx((9 - 0.5 * np.log(tokens)).tolist())
    assert tokens[[0, -1]] == pytest.approx([a_run.CHECKPOINTS[1], a_run.CHECKPOINTS[-1]])
    assert "A = -0.5 (-0.5 … -0.5), R² 1.00" in law.hovertemplate


def test_three_checkpoints_have_no_law(verdict: Verdict) -> None:
    figure = course(CORPUS_COURSE, a_corpus(a_run.CHECKPOINTS[1:4]), verdict)
    assert figure is not None
    assert not [one for one in figure.data if one.name and "ln N" in one.name]


@given(st.lists(st.sampled_from(list(VerdictState)), min_size=1, max_size=12))
def test_phases_cover_the_run_without_gaps(states: list[VerdictState]) -> None:
    checkpoints = [CheckpointVerdict(tokens=10 * i, state=s) for i, s in enumerate(states)]
    found = phases(checkpoints)
    assert (found[0].start, found[-1].end) == (0, 10 * (len(states) - 1))
    assert all(a.end == b.start and a.state is not b.state for a, b in pairwise(found))
    for checkpoint in checkpoints:
        inside = [p for p in found if p.start <= checkpoint.tokens <= p.end]
        assert checkpoint.state in {phase.state for phase in inside}


def test_gains_stand_with_their_intervals_against_delta(verdict: Verdict) -> None:
    figure = gain(verdict)
    assert figure is not None
    points = trace(figure, "NIAH-PPL")
    gains = [g for c in verdict.checkpoints for g in c.gains if g.signal == "niah_ppl"]
    assert list(points.y) == [g.gain for g in gains]
    assert list(points.error_y.array) == pytest.approx([g.upper - g.gain for g in gains])
    assert list(points.error_y.arrayminus) == pytest.approx([g.gain - g.lower for g in gains])
    (stripe,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (stripe.y0, stripe.y1) == (-verdict.policy.min_gain, verdict.policy.min_gain)


def test_delta_is_that_of_the_leading_signal() -> None:
    figure = gain(a_run.verdict_with_own_min_gain(0.05))
    assert figure is not None
    (stripe,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (stripe.y0, stripe.y1) == (-0.05, 0.05)


def test_without_gains_there_is_no_figure_of_them() -> None:
    assert gain(a_run.verdict(REPORTS[:2])) is None


def test_every_cell_is_in_its_heat_map() -> None:
    figure = heat_maps(NIAH_MAPS, measured("niah"))
    assert figure is not None
    for heat_map, (_, details) in zip(figure.data, measured("niah"), strict=True):
        assert list(heat_map.y) == [f"{depth} %" for depth in a_run.DEPTHS]
        assert list(heat_map.x) == [str(length) for length in a_run.LENGTHS]
        assert np.array(heat_map.z) == pytest.approx(details["nll"])
        assert np.array(heat_map.customdata) == pytest.approx(details["ppl"])


def test_heat_maps_share_one_scale_over_all_values() -> None:
    figure = heat_maps(NIAH_MAPS, measured("niah"))
    assert figure is not None
    nlls = np.stack([details["nll"] for _, details in measured("niah")])
    assert {heat_map.coloraxis for heat_map in figure.data} == {"coloraxis"}
    scale = figure.layout.coloraxis
    assert (scale.cmin, scale.cmax) == pytest.approx((nlls.min(), nlls.max()))


def test_the_source_context_ends_between_the_bands() -> None:
    figure = heat_maps(NIAH_MAPS, measured("niah", REPORTS[:1]))
    assert figure is not None
    (line,) = figure.layout.shapes
    assert line.x0 == a_run.LENGTHS.index(a_run.SOURCE_LENGTH) + 0.5


def test_a_profile_has_a_line_for_each_checkpoint() -> None:
    figure = profile(DEPTHS, measured("niah"))
    assert figure is not None
    expected = a_run.details(REPORTS[3].tokens)["niah"]["ppl_by_depth"]
    assert list(figure.data[3].y) == expected.tolist()
    assert list(figure.data[3].x) == [f"{depth} %" for depth in a_run.DEPTHS]


def test_lengths_within_the_source_context_have_a_profile_of_their_own() -> None:
    figure = profile(GUARD_DEPTHS, measured("niah"))
    assert figure is not None
    expected = a_run.details(REPORTS[3].tokens)["niah"]["ppl_by_depth_guard"]
    assert list(figure.data[3].y) == expected.tolist()


def test_how_far_the_middle_is_lost_is_drawn_in_nats_with_its_interval(verdict: Verdict) -> None:
    figure = course(LOST, lines(), verdict)
    index = trace(figure, "NIAH lost in the middle")
    assert list(index.y) == values("niah_lost_in_the_middle")
    assert all(width > 0 for width in index.error_y.array)
    assert figure.layout.yaxis.title.text == "nats"
    assert figure.layout.yaxis.tickformat is None


def test_head_maps_hold_every_score() -> None:
    figure = heat_maps(HEAD_MAPS, measured("retrieval_heads"))
    assert figure is not None
    for heat_map, (_, details) in zip(figure.data, measured("retrieval_heads"), strict=True):
        assert np.array(heat_map.z) == pytest.approx(details["scores"])


def test_intervals_are_drawn_where_there_are_any(verdict: Verdict) -> None:
    figure = course(HEADS, lines(), verdict)
    counts = trace(figure, "Retrieval heads")
    assert list(counts.y) == values("retrieval_heads")
    bars = zip(counts.y, counts.error_y.arrayminus, counts.error_y.array, strict=True)
    intervals = [interval for _, interval in lines()["retrieval_heads"].points.values()]
    assert [(y - below, y + above) for y, below, above in bars] == intervals


def test_without_details_there_are_no_figures_of_them() -> None:
    assert heat_maps(HEAD_MAPS, []) is None
    assert profile(DEPTHS, []) is None


def test_loss_and_throughput_are_the_history() -> None:
    history = a_run.history()
    figure = loss_and_speed(history)
    assert figure is not None
    assert list(trace(figure, "loss").y) == [line.loss for line in history]
    speeds = [line.tokens_per_second for line in history]
    assert list(trace(figure, "tokens per second").y) == speeds


def test_a_long_history_is_thinned() -> None:
    figure = loss_and_speed(a_run.history(steps=9_000))
    assert figure is not None
    assert len(trace(figure, "loss").y) <= 2_000
    assert loss_and_speed(()) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_a_running_mean_stays_within_the_values(values: list[float]) -> None:
    means = running_mean(values)
    assert len(means) == len(values)
    assert min(values) - 1e-6 <= min(means) <= max(means) <= max(values) + 1e-6


def test_many_checkpoints_get_panels_evenly_first_and_last_included() -> None:
    shown = multiples.Panels.of([(tokens, None) for tokens in range(100)]).tokens
    assert len(shown) == multiples.PANELS_MAX
    assert (shown[0], shown[-1]) == (0, 99)


@given(st.floats(1.0001, 50), st.floats(1.00001, 1e4))
def test_ticks_of_a_log_scale_are_few_and_inside(low: float, factor: float) -> None:
    ticks = style.log_ticks(low, low * factor)
    assert len(ticks) <= 20
    assert all(low <= tick <= low * factor for tick in ticks)
    assert ticks == sorted(set(ticks))
