"""The figures of the page, in order, each with what to see in it."""

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go

from lccp.api.objects.verdict import Verdict
from lccp.report.figures.grid import ppl_by_depth, ppl_heatmaps
from lccp.report.figures.heads import head_maps, heads_over_tokens
from lccp.report.figures.multiples import PANELS_MAX
from lccp.report.figures.signals import gain, score_and_ppl
from lccp.report.figures.training import loss_and_speed
from lccp.report.load import RunData

ONE_PANEL_EACH = (
    f"One panel for each checkpoint (at most {PANELS_MAX}, evenly spread), "
    "one colour scale for all. "
)


@dataclass(frozen=True)
class Exhibit:
    """A figure's title, what to see in it, and how it is drawn (None: there is nothing to draw)."""

    title: str
    caption: str
    draw: Callable[[RunData, Verdict], go.Figure | None]


EXHIBITS = (
    Exhibit(
        "NIAH score and perplexity against tokens",
        "Above, the share of needles that the model recalls word for word; below, the perplexity "
        "of the needle's answer. Once the score stands at its ceiling, only the perplexity tells "
        "whether training still improves retrieval. Solid lines: lengths beyond the source "
        "context; dashed: lengths within it, which must not get worse. Shades: the verdict as it "
        "was known then; dotted line: the checkpoint since which the run is saturated.",
        lambda data, verdict: score_and_ppl(data.reports, verdict),
    ),
    Exhibit(
        "Gain per horizon",
        "How much log-perplexity fell over the last horizon, with its confidence interval. The "
        "grey stripe is ±δ, the least gain that pays: an interval inside it is a plateau "
        "(violet), one above zero an improvement (green), and one that is neither decides "
        "nothing (grey).",
        lambda _, verdict: gain(verdict),
    ),
    Exhibit(
        "Perplexity by length and depth",
        ONE_PANEL_EACH
        + "Right of the white line lie the lengths beyond the source context. Bright cells are "
        "places where the needle is hard to recall; they should darken from panel to panel.",
        lambda data, _: ppl_heatmaps(data.reports),
    ),
    Exhibit(
        "Perplexity by depth",
        "Mean over the lengths beyond the source context, a line for each checkpoint. A hump is "
        "the model being lost in the middle; training should flatten it.",
        lambda data, _: ppl_by_depth(data.reports),
    ),
    Exhibit(
        "Retrieval score of every head",
        "How much of the needle each attention head copies, layers down, heads across. "
        + ONE_PANEL_EACH
        + "A few bright heads do the retrieval; the pattern should strengthen in place rather than "
        "move.",
        lambda data, _: head_maps(data.reports),
    ),
    Exhibit(
        "Retrieval heads against tokens",
        "Above, the number of heads above the threshold, with a 95 % interval; below, the mean "
        "score of the heads that retrieved at the first checkpoint, chosen on one half of the "
        "samples and scored on the other. Both should rise, then level off.",
        lambda data, verdict: heads_over_tokens(data.reports, verdict),
    ),
    Exhibit(
        "Training",
        "Loss of each logged step (thin) and its running mean; below, the throughput. The loss "
        "hardly shows what the needles show: few tokens need the long context.",
        lambda data, _: loss_and_speed(data.history),
    ),
)
