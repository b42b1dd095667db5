"""Retrieval heads: settings, signals, charts, and how checkpoints are compared.

A head's retrieval score is the share of the needle that it copies (Wu et al., arXiv 2404.15574, in
the counting that the settings name), averaged over samples.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.quantities import Decimal
from lccp.contract.signals import Signal
from lccp.probes.probe import Axis, Column, Comparison, Course, Details, HeatMaps, Probe


class RetrievalHeadsSettings(Contract):
    """Retrieval score of every attention head, from the same pass as `niah`."""

    counting: Annotated[
        Literal["TokenSet", "PositionRecall", "WuCount"],
        Field(
            description="How a head's copies are counted: distinct tokens of the needle, "
            "positions of the answer, or as Wu et al. do."
        ),
    ] = "TokenSet"
    threshold: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(description="Score above which a head is a retrieval head."),
    ] = 0.1
    hysteresis: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(description="Margin around the threshold in the series with hysteresis."),
    ] = 0.01
    top_heads: Annotated[
        StrictInt, Field(ge=1, le=4_096, description="Heads compared between checkpoints (top k).")
    ] = 30


INITIAL, STEADY, OVERLAP = "initial_heads_score", "retrieval_heads_steady", "head_overlap"


def signals(_settings: RetrievalHeadsSettings) -> tuple[Signal, ...]:
    return (
        Signal(name="retrieval_heads", title="Retrieval heads", unit="heads"),
        Signal(name="retrieval_score_mean", title="Mean retrieval score", unit="share"),
    )


def compared(
    settings: RetrievalHeadsSettings, details: Sequence[Details]
) -> dict[str, Sequence[float | None]]:
    """Values by checkpoint of the signals that compare it with the first, or the one before."""
    import numpy as np

    from lccp.probes import head_scores

    scores = np.stack([one["scores"] for one in details])
    halves = np.stack([one["halves"] for one in details])
    initial = head_scores.initial_heads_score(halves, settings.threshold)
    steady = head_scores.counts_with_hysteresis(scores, settings.threshold, settings.hysteresis)
    overlaps = [head_scores.overlap(*pair, settings.top_heads) for pair in pairwise(scores)]
    return {
        INITIAL: [None] * len(details) if initial is None else initial.tolist(),
        STEADY: [float(count) for count in steady],
        OVERLAP: [None, *overlaps],
    }


PROBE = Probe(
    name="retrieval_heads",
    description="Retrieval heads.",
    version=1,
    settings=RetrievalHeadsSettings,
    default=RetrievalHeadsSettings(),
    needs=("niah",),
    signals=signals,
    columns=(Column("retrieval_heads", "Heads"),),
    charts=(
        HeatMaps(
            "Retrieval score of every head",
            "How much of the needle each attention head copies, layers down, heads across. A few "
            "bright heads do the retrieval; the pattern should strengthen in place rather than "
            "move.",
            array="scores",
            unit="score",
            down=Axis("layer", "layer"),
            across=Axis("head", "head"),
        ),
        Course(
            "Retrieval heads against tokens",
            "Above, the number of heads above the threshold, with a 95 % interval; below, the mean "
            "score of the heads that retrieved at the first checkpoint, chosen on one half of the "
            "samples and scored on the other. Both should rise, then level off.",
            (("retrieval_heads",), (INITIAL,)),
        ),
    ),
    comparison=Comparison(
        (
            Signal(name=INITIAL, title="Initial heads' score", unit="share"),
            Signal(name=STEADY, title="Retrieval heads, with hysteresis", unit="heads"),
            Signal(name=OVERLAP, title="Head overlap", unit="share"),
        ),
        compared,
    ),
)
