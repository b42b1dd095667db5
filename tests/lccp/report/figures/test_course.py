"""Signals against tokens are the ones of reports and verdict."""

import math
from collections.abc import Sequence

import a_run
import numpy as np
import pytest
from drawn import REPORTS, lines, trace, values

from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Verdict
from lccp.probes import corpus_ppl, niah
from lccp.probes.heads import retrieval_heads
from lccp.probes.probe import SignalCurves
from lccp.report.figures.course import SignalLine, course, log_law
from lccp.report.figures.style import TokenAxis

MILLIONS = [report.tokens / 1e6 for report in REPORTS]
NIAH_COURSE = next(chart for chart in niah.PROBE.charts if isinstance(chart, SignalCurves))
LOST = niah.PROBE.charts[-1]
HEADS = next(chart for chart in retrieval_heads.PROBE.charts if isinstance(chart, SignalCurves))


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return a_run.verdict()


def test_score_and_ppl_are_those_of_the_reports(verdict: Verdict) -> None:
    figure = course(NIAH_COURSE, lines(), verdict)
    assert list(trace(figure, "NIAH score").y) == values("niah_score")
    assert list(trace(figure, "NIAH-PPL").y) == values("niah_ppl")
    assert list(trace(figure, "NIAH-PPL, guard band").y) == values("niah_ppl_guard")
    assert list(trace(figure, "NIAH-PPL").x) == pytest.approx(MILLIONS)


def test_a_course_of_signals_that_were_not_measured_is_not_drawn(verdict: Verdict) -> None:
    assert course(NIAH_COURSE, {}, verdict) is None
    alone = {"niah_ppl": lines()["niah_ppl"]}
    figure = course(NIAH_COURSE, alone, verdict)
    assert figure is not None
    assert [one.name for one in figure.data if one.y[0] is not None] == ["NIAH-PPL"]


def test_intervals_are_drawn_where_there_are_any(verdict: Verdict) -> None:
    figure = course(HEADS, lines(), verdict)
    counts = trace(figure, "Retrieval heads")
    assert list(counts.y) == values("retrieval_heads")
    bars = zip(counts.y, counts.error_y.arrayminus, counts.error_y.array, strict=True)
    intervals = [interval for _, interval in lines()["retrieval_heads"].points.values()]
    assert [(y - below, y + above) for y, below, above in bars] == intervals


@pytest.mark.parametrize(
    ("name", "values", "title", "axis"),
    [
        ("niah_score", (0.0, 0.0), "share (0–1)", {"clipmin": -0.05, "clipmax": 1.05}),
        ("recovery", (0.5, 1.6), "share", {"clipmin": None, "clipmax": None}),
        ("recovery", (-0.1, 0.2), "share", {"clipmin": None, "clipmax": None}),
    ],
)
def test_a_share_lies_between_0_and_1_unless_its_values_do_not(
    name: str,
    values: tuple[float, float],
    title: str,
    axis: dict[str, float | None],
    verdict: Verdict,
) -> None:
    signal, points = lines()[name].signal, {1: (values[0], None), 2: (values[1], None)}
    figure = course(
        SignalCurves("Course", "", ((name,),)), {name: SignalLine(signal, points)}, verdict
    )
    assert figure is not None
    shown = figure.layout.yaxis
    assert (shown.title.text, shown.dtick) == (title, None)
    assert {end: shown.autorangeoptions[end] for end in axis} == axis


def test_how_far_the_middle_is_lost_is_drawn_in_nats_with_its_interval(verdict: Verdict) -> None:
    figure = course(LOST, lines(), verdict)
    index = trace(figure, "NIAH lost in the middle")
    assert list(index.y) == values("niah_lost_in_the_middle")
    assert all(width > 0 for width in index.error_y.array)
    assert figure.layout.yaxis.title.text == "nats"
    assert figure.layout.yaxis.tickformat is None


@pytest.mark.slow
@pytest.mark.parametrize("panels", [1, 2, 3])
def test_the_shades_legend_lies_below_the_title_of_the_axis(panels: int, verdict: Verdict) -> None:
    """In pixels, however many panels the figure has; the plot's area is what margins leave."""
    chart = SignalCurves("", "", (("niah_ppl",),) * panels)
    figure = course(chart, lines(), verdict)
    assert figure is not None
    area = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    assert -figure.layout.legend2.y * area >= 45


CORPUS_COURSE = next(chart for chart in corpus_ppl.PROBE.charts if isinstance(chart, SignalCurves))


def a_corpus(tokens: Sequence[int]) -> dict[str, SignalLine]:
    """A perplexity that follows 9 - 0.5 ln N, and is 20 at token 0, which the law leaves out."""
    signal = next(s for s in corpus_ppl.PROBE.signals(corpus_ppl.PROBE.usual))
    points = {at: (9 - 0.5 * math.log(at) if at else 20.0, None) for at in tokens}
    return {signal.name: SignalLine(signal, points)}


def test_the_log_law_of_a_corpus_is_drawn_through_its_perplexity(verdict: Verdict) -> None:
    figure = course(CORPUS_COURSE, a_corpus(a_run.CHECKPOINTS), verdict)
    law = trace(figure, "Corpus PPL, english: A ln N + B")
    tokens = 1e6 * np.array(law.x)
    assert list(law.y) == pytest.approx((9 - 0.5 * np.log(tokens)).tolist())
    assert tokens[[0, -1]] == pytest.approx([a_run.CHECKPOINTS[1], a_run.CHECKPOINTS[-1]])
    assert "A = -0.5 (-0.5 … -0.5), R² 1.00" in law.hovertemplate


def test_over_the_logarithm_of_tokens_the_law_is_straight_and_has_no_base(
    verdict: Verdict,
) -> None:
    chart = next(one for one in corpus_ppl.PROBE.charts if getattr(one, "log_tokens", False))
    figure = course(chart, a_corpus(a_run.CHECKPOINTS), verdict)

    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.type != "log"
    assert 0 not in trace(figure, "Corpus PPL, english").x
    law = trace(figure, "Corpus PPL, english: A ln N + B")
    slopes = np.diff(law.y) / np.diff(np.log(law.x))
    np.testing.assert_allclose(slopes, slopes[0])
    assert course(chart, a_corpus([0]), verdict) is None


def test_three_checkpoints_have_no_law(verdict: Verdict) -> None:
    figure = course(CORPUS_COURSE, a_corpus(a_run.CHECKPOINTS[1:4]), verdict)
    assert figure is not None
    assert not [one for one in figure.data if one.name and "ln N" in one.name]


def test_the_warm_up_is_left_out() -> None:
    ppl = {1: 99.0, 100: 5.0, 200: 4.5, 400: 4.0, 800: 3.5}
    axis = TokenAxis(1, "")

    law = log_law(ppl, "t", Policy(horizon_tokens=1, warmup_tokens=1), axis, "#000000")

    assert law is not None
    assert (law.x[0], law.x[-1]) == pytest.approx((100, 800))
    assert (law.y[0], law.y[-1]) == pytest.approx((5.0, 3.5))
    late = Policy(horizon_tokens=1, warmup_tokens=100)
    assert log_law(ppl, "t", late, axis, "#000000") is None
