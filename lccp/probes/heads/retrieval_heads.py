"""Retrieval heads: attention heads that copy the needle into the answer (arXiv 2404.15574).

A head copies a token if, at the row that predicts it (the position before it), the key with the
highest score is in the needle and holds the same token. Everything is counted under teacher
forcing, on all samples, with no gate on success. A head's score is the mean over samples, counted
in one of three ways:

- `TokenSet`: distinct tokens of the needle that the head copies, by all distinct tokens of the
  needle: `|g ∩ k| / |k|` (arXiv 2604.02650, appendix A.1).
- `PositionRecall`: positions of the answer that the head copies, by all of them.
- `WuCount`: positions whose copied token is in the key, by the key's tokens (Wu et al., whose
  reference is only the informative part of the needle). A token that the stem repeats counts
  again, so the score may exceed 1.

A head whose sliding window does not cover the whole needle is not scored on that sample. One
whose window never does has no score, which is not a score of 0: it is left out of every signal, and
the report names its layer. A cluster in which no head is scored is left out too, and where there is
none, nothing is measured, and the report says so.

- `retrieval_heads`: number of heads with a score above the threshold, with a 95 % interval: the
  percentiles of 2,000 bootstrap samples of whole haystacks or documents.
- `retrieval_score_mean`: mean score of all heads.
- `needle_mass`: share of attention on the needle, mean over heads and samples. It has no
  threshold and no ties, so it may move before the number of heads does.
- `score_top_share`: share of the sum of all scores that the top k heads hold; `score_gini`: Gini
  coefficient of the scores (0: all heads alike, towards 1: one head has it all). Both show how
  concentrated retrieval is in few heads.

From several checkpoints:

- `initial_heads_score`: mean score of the heads that were above the threshold at the first
  checkpoint, chosen on one half of the haystacks or documents and scored on the other, in both
  directions.
- `retrieval_heads_steady`: number of heads, where a head enters above threshold + hysteresis and
  leaves below threshold - hysteresis.
- `head_overlap`: share of the top k heads that a checkpoint has in common with the one before.
- `head_spearman`: Spearman's rank correlation of all heads' scores with the checkpoint before, with
  average ranks. Most heads score 0 and tie, which dominates it.
- `head_spearman_top`: the same over the heads that are among the top k of either checkpoint.
- `head_overlap_ceiling`, `head_spearman_ceiling`, `head_spearman_top_ceiling`: the same between
  both halves of one checkpoint's haystacks or documents: what sampling noise permits. Between
  checkpoints it can be higher, since they answer the same samples, and all of them: heads whose
  overlap is below the ceiling have moved.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.quantities import Decimal
from lccp.contract.signals import Signal
from lccp.probes.probe import (
    Axis,
    ClusterKind,
    Column,
    ComparisonSignals,
    Details,
    HeatMaps,
    Need,
    Probe,
    SignalCurves,
)


class RetrievalHeadsSettings(Contract):
    """Retrieval score of every attention head, from the same pass as `bio` or `niah`."""

    source: Annotated[
        Literal["Bio", "Niah"],
        Field(description="Probe whose samples the heads are watched on: `bio` or `niah`."),
    ] = "Bio"
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


INITIAL, STEADY = "initial_heads_score", "retrieval_heads_steady"
OVERLAP, OVERLAP_CEILING = "head_overlap", "head_overlap_ceiling"
SPEARMAN, SPEARMAN_CEILING = "head_spearman", "head_spearman_ceiling"
TOP, TOP_CEILING = "head_spearman_top", "head_spearman_top_ceiling"


def signals(_settings: RetrievalHeadsSettings) -> tuple[Signal, ...]:
    return (
        Signal(name="retrieval_heads", title="Retrieval heads", unit="heads"),
        Signal(name="retrieval_score_mean", title="Mean retrieval score", unit="share"),
        Signal(name="needle_mass", title="Attention on the needle", unit="share"),
        Signal(name="score_top_share", title="Top heads' share of the scores", unit="share"),
        Signal(name="score_gini", title="Gini coefficient of the scores", unit="share"),
    )


def averaged(signal: str, kinds: Sequence[ClusterKind]) -> Sequence[ClusterKind]:
    """Only means over heads are reported by cluster."""
    return kinds if signal in ("retrieval_score_mean", "needle_mass") else ()


def compared(
    settings: RetrievalHeadsSettings, details: Sequence[Details]
) -> dict[str, Sequence[float | None]]:
    """Values by checkpoint of the signals that compare it with the first, or the one before."""
    import numpy as np

    from lccp.probes.statistics import head_scores

    scores = np.stack([one["scores"] for one in details])
    halves = np.stack([one["halves"] for one in details])
    initial = head_scores.initial_heads_score(halves, settings.threshold)
    steady = head_scores.counts_with_hysteresis(scores, settings.threshold, settings.hysteresis)
    top = settings.top_heads
    before = [head_scores.agreement(*pair, top) for pair in pairwise(scores)]
    ceilings = [head_scores.noise_ceiling(pair, top) for pair in halves]
    return {
        INITIAL: [None] * len(details) if initial is None else initial.tolist(),
        STEADY: [float(count) for count in steady],
        OVERLAP: [None, *(one.overlap for one in before)],
        OVERLAP_CEILING: [one.overlap for one in ceilings],
        SPEARMAN: [None, *(one.spearman for one in before)],
        SPEARMAN_CEILING: [one.spearman for one in ceilings],
        TOP: [None, *(one.spearman_top for one in before)],
        TOP_CEILING: [one.spearman_top for one in ceilings],
    }


PROBE = Probe(
    name="retrieval_heads",
    description="Retrieval heads.",
    definition=__doc__,
    version=2,
    settings=RetrievalHeadsSettings,
    default=RetrievalHeadsSettings(),
    needs=(Need("bio", "Bio"), Need("niah", "Niah")),
    signals=signals,
    averaged=averaged,
    columns=(Column("retrieval_heads", "Heads"),),
    charts=(
        HeatMaps(
            "Retrieval score of every head",
            "How much of the needle each attention head copies, layers down, heads across. A few "
            "bright heads do the retrieval; the pattern should strengthen in place rather than "
            "move. A head without a colour never sees a whole needle.",
            array="scores",
            unit="score",
            down=Axis("layer", "layer"),
            across=Axis("head", "head"),
        ),
        SignalCurves(
            "Retrieval heads against tokens",
            "Above, the number of heads above the threshold, with a 95 % interval; below, the mean "
            "score of the heads that retrieved at the first checkpoint, chosen on one half of the "
            "samples and scored on the other. Both should rise, then level off.",
            (("retrieval_heads",), (INITIAL,)),
        ),
        SignalCurves(
            "The same heads, or others",
            "Above, the share of the top heads that a checkpoint has in common with the one "
            "before; below, the rank correlation with it, of all heads and of the top ones; all "
            "beside what sampling noise permits. Below their ceiling, heads were replaced rather "
            "than strengthened.",
            ((OVERLAP, OVERLAP_CEILING), (SPEARMAN, SPEARMAN_CEILING), (TOP, TOP_CEILING)),
        ),
    ),
    comparison=ComparisonSignals(
        (
            Signal(name=INITIAL, title="Initial heads' score", unit="share"),
            Signal(name=STEADY, title="Retrieval heads, with hysteresis", unit="heads"),
            Signal(name=OVERLAP, title="Head overlap", unit="share"),
            Signal(name=OVERLAP_CEILING, title="Ceiling of the overlap", unit="share"),
            Signal(name=SPEARMAN, title="Rank correlation of heads", unit="correlation"),
            Signal(name=SPEARMAN_CEILING, title="Ceiling of the correlation", unit="correlation"),
            Signal(name=TOP, title="Rank correlation of top heads", unit="correlation"),
            Signal(name=TOP_CEILING, title="Ceiling of top heads' correlation", unit="correlation"),
        ),
        compared,
    ),
)
