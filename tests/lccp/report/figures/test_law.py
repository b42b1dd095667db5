"""The log law of a perplexity, through its course."""

import math
from collections.abc import Sequence

import a_run
import numpy as np
import pytest
from drawn import trace

from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Verdict
from lccp.probes import corpus_ppl
from lccp.probes.probe import Course
from lccp.report.figures.course import Line, course
from lccp.report.figures.law import log_law
from lccp.report.figures.style import TokenAxis

CORPUS_COURSE = next(chart for chart in corpus_ppl.PROBE.charts if isinstance(chart, Course))


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return a_run.verdict()


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
