import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import a_run
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import CheckpointVerdict, Verdict, VerdictState
from lccp.report.figures import multiples, style
from lccp.report.figures.grid import ppl_by_depth, ppl_heatmaps
from lccp.report.figures.heads import head_maps, heads_over_tokens
from lccp.report.figures.phases import phases
from lccp.report.figures.signals import gain, score_and_ppl
from lccp.report.figures.training import loss_and_speed, running_mean

REPORTS = a_run.reports()
MILLIONS = [report.tokens / 1e6 for report in REPORTS]


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return a_run.verdict()


def trace(figure: Any, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def heads_of(report: EvaluationReport) -> Any:
    return report.probes.retrieval_heads


def test_score_and_ppl_are_those_of_the_extension_band(verdict: Verdict) -> None:
    figure = score_and_ppl(REPORTS, verdict)
    bands = [report.probes.niah.bands for report in REPORTS]
    assert list(trace(figure, "NIAH score").y) == [b["extension"].score for b in bands]
    assert list(trace(figure, "NIAH-PPL").y) == [b["extension"].ppl for b in bands]
    assert list(trace(figure, "NIAH-PPL, guard band").y) == [b["guard"].ppl for b in bands]
    assert list(trace(figure, "NIAH-PPL").x) == pytest.approx(MILLIONS)


def test_phases_are_shaded_and_the_saturation_is_marked(verdict: Verdict) -> None:
    figure = score_and_ppl(REPORTS, verdict)
    lines = [shape for shape in figure.layout.shapes if shape.type == "line"]
    shades = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert verdict.since_tokens is not None
    assert {line.x0 for line in lines} == {verdict.since_tokens / 1e6}
    assert len(shades) == 2 * len(phases(verdict.checkpoints))


def test_an_unsaturated_run_has_no_mark() -> None:
    some = a_run.reports(a_run.CHECKPOINTS[:6])
    figure = score_and_ppl(some, a_run.verdict(some))
    assert not [shape for shape in figure.layout.shapes if shape.type == "line"]


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
    assert (stripe.y0, stripe.y1) == (-verdict.min_gain, verdict.min_gain)


def test_without_gains_there_is_no_figure_of_them() -> None:
    assert gain(a_run.verdict(REPORTS[:2])) is None


def test_every_cell_is_in_its_heatmap() -> None:
    figure = ppl_heatmaps(REPORTS)
    assert len(figure.data) == len(REPORTS)
    for heatmap, report in zip(figure.data, REPORTS, strict=True):
        for cell in report.probes.niah.cells:
            row = list(heatmap.y).index(f"{cell.depth_percent} %")
            column = list(heatmap.x).index(str(cell.length))
            assert heatmap.z[row][column] == cell.nll
            assert heatmap.customdata[row][column] == cell.ppl


def test_heatmaps_share_one_scale_over_all_values() -> None:
    figure = ppl_heatmaps(REPORTS)
    nlls = [cell.nll for report in REPORTS for cell in report.probes.niah.cells]
    assert {heatmap.coloraxis for heatmap in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (min(nlls), max(nlls))


def test_the_source_context_ends_between_the_bands() -> None:
    (line,) = ppl_heatmaps(REPORTS[:1]).layout.shapes
    assert line.x0 == a_run.LENGTHS.index(a_run.SOURCE_LENGTH) + 0.5


def test_depths_show_the_mean_over_the_extension_band() -> None:
    figure = ppl_by_depth(REPORTS)
    assert figure is not None
    report, line = REPORTS[3], figure.data[3]
    cells = [c for c in report.probes.niah.cells if c.depth_percent == 50 and c.length > 256]
    expected = math.exp(sum(c.nll for c in cells) / len(cells))
    assert line.y[list(line.x).index(50)] == pytest.approx(expected)


def test_head_maps_hold_every_score() -> None:
    figure = head_maps(REPORTS)
    assert figure is not None
    for heatmap, report in zip(figure.data, REPORTS, strict=True):
        assert [list(row) for row in heatmap.z] == [list(row) for row in heads_of(report).scores]


def test_head_counts_carry_their_intervals(verdict: Verdict) -> None:
    figure = heads_over_tokens(REPORTS, verdict)
    assert figure is not None
    counts = trace(figure, "retrieval heads")
    assert list(counts.y) == [heads_of(r).heads for r in REPORTS]
    intervals = [(y - below, y + above) for y, below, above in _with_bars(counts)]
    assert intervals == [heads_of(r).heads_interval for r in REPORTS]
    initial = trace(figure, "mean score of the initial heads")
    assert list(initial.y) == [c.initial_heads_score for c in verdict.checkpoints]


def _with_bars(points: Any) -> Sequence[tuple[float, float, float]]:
    return list(zip(points.y, points.error_y.arrayminus, points.error_y.array, strict=True))


def test_without_the_heads_probe_there_are_no_figures_of_heads(verdict: Verdict) -> None:
    probes = REPORTS[0].probes.model_copy(update={"retrieval_heads": None})
    bare = [REPORTS[0].model_copy(update={"probes": probes})]
    assert head_maps(bare) is None
    assert heads_over_tokens(bare, verdict) is None


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
    many = [REPORTS[0].model_copy(update={"tokens": i}) for i in range(100)]
    shown = multiples.Panels.of(many).reports
    assert len(shown) == multiples.PANELS_MAX
    assert (shown[0].tokens, shown[-1].tokens) == (0, 99)


@given(st.floats(1.0001, 50), st.floats(1.00001, 1e4))
def test_perplexity_ticks_are_few_and_inside(low: float, factor: float) -> None:
    ticks = style.ppl_ticks(low, low * factor)
    assert len(ticks) <= 20
    assert all(low <= tick <= low * factor for tick in ticks)
    assert ticks == sorted(set(ticks))
