"""The gains of a verdict, against tokens."""

import a_run
import pytest
from drawn import REPORTS, trace

from lccp.analysis.verdict import judge
from lccp.report.figures.gain import gain


def test_gains_stand_with_their_intervals_against_delta() -> None:
    verdict = a_run.verdict()
    figure = gain(verdict)
    assert figure is not None
    points = trace(figure, "NIAH-PPL")
    gains = [g for c in verdict.checkpoints for g in c.gains if g.signal == "niah_ppl"]
    assert list(points.y) == [g.gain for g in gains]
    assert list(points.error_y.array) == pytest.approx([g.upper - g.gain for g in gains])
    assert list(points.error_y.arrayminus) == pytest.approx([g.gain - g.lower for g in gains])
    (stripe,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (stripe.y0, stripe.y1) == (-verdict.policy.min_gain, verdict.policy.min_gain)


@pytest.mark.slow
def test_delta_is_that_of_the_leading_signal() -> None:
    figure = gain(a_run.verdict_with_own_min_gain(0.05))
    assert figure is not None
    (stripe,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (stripe.y0, stripe.y1) == (-0.05, 0.05)


def test_without_gains_there_is_no_figure_of_them() -> None:
    assert gain(a_run.verdict(REPORTS[:2])) is None


def test_gains_of_a_linear_signal_are_no_percentages() -> None:
    by_score = a_run.policy().model_copy(update={"signals": ("niah_score",)})
    figure = gain(judge(REPORTS, by_score))
    assert figure is not None
    assert figure.layout.yaxis.tickformat == "+.3~f"
    assert [one.name for one in figure.data] == ["NIAH score"]
    assert trace(figure, "NIAH score").hovertemplate.startswith("%{y:+.3f} (%{customdata[0]:+.3f}")
