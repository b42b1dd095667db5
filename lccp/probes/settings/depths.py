"""Depths of questions: what manifests may request, and how the middle compares with the ends.

A model that is lost in the middle (Liu et al., arXiv 2307.03172) makes better use of the beginning
and end of its context than of its middle. The index of that is
`NLL(middle) - ((1 - w) NLL(first) + w NLL(last))`, in nats a token, of the mean NLL of the answers
in each third of the depths. w is where the middle's mean depth is between those of the ends: 1/2
for evenly spaced depths, so that an NLL that rises evenly with the depth is no loss.
"""

from bisect import bisect
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StrictInt

from lccp.contract.cel import Rule, distinct
from lccp.contract.signals import Better, Role, Scale, Signal
from lccp.probes.probe import DEPTHS, Profile, SignalCurves

Depth = Annotated[StrictInt, Field(ge=0, le=100)]
MOST = 21

REPEATED = "depthsPercent must be distinct"
DISTINCT = Rule(distinct("self.depthsPercent"), REPEATED, ".depthsPercent")

MIDDLE_PERCENT = (100 / 3, 200 / 3)
"""Depths from the first to the second are in the middle."""

NAME = "lost_in_the_middle"


def check_distinct(depths: Sequence[int]) -> None:
    """Raise ValueError if a depth occurs twice; `DISTINCT` is the same in CEL."""
    if len(set(depths)) < len(depths):
        raise ValueError(REPEATED)


def reach_all_thirds(depths: Sequence[int]) -> bool:
    """Whether the index is defined: each third holds some depth."""
    return {bisect(MIDDLE_PERCENT, depth) for depth in depths} == {0, 1, 2}


def lost_in_the_middle(probe: str, title: str) -> Signal:
    """The index of a probe with this title in sentences."""
    return Signal(
        name=f"{probe}_{NAME}",
        title=f"{title} lost in the middle",
        unit="nats",
        better=Better.LOWER,
        role=Role.WATCHED,
    )


def charts(probe: str, title: str, subject: str) -> tuple[Profile, Profile, SignalCurves]:
    """Profiles by depth in both bands, and the index against tokens."""

    def profile(where: str, caption: str, array: str) -> Profile:
        return Profile(
            f"Perplexity of {subject} by depth{where}",
            caption,
            array=array,
            unit="PPL",
            along=DEPTHS,
            scale=Scale.LOG,
        )

    return (
        profile(
            "",
            "Mean over the lengths beyond the source context, a line for each checkpoint. A hump "
            "is the model being lost in the middle; training should flatten it.",
            "ppl_by_depth",
        ),
        profile(
            " within the source context",
            "The same over the lengths within the source context, which must not get worse.",
            "ppl_by_depth_guard",
        ),
        SignalCurves(
            f"{title} lost in the middle against tokens",
            "How much worse an answer is when it is in the middle third of the context than at "
            "its ends, in nats a token, with 95 % intervals: 0 is no difference, and training "
            "should bring it there. Solid: beyond the source context; dashed: within it.",
            ((f"{probe}_{NAME}", f"{probe}_{NAME}_guard"),),
        ),
    )
