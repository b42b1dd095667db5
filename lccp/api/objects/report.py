"""`evaluations/<tokens>/…`: what an evaluator measured at one checkpoint.

`report.json` alone is enough for the verdict: it holds, for every band, the means by haystack and
by needle (samples are crossed, so these are the clusters), and for the heads the score maps of both
halves of the samples. Values per sample lie beside it in `samples.npz` and `heads.npz`.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Cause
from lccp.contract.base import Contract

Band = Literal["extension", "guard"]
ScoreMap = tuple[tuple[float, ...], ...]


class NiahValues(Contract):
    """Aggregate over samples, every sample weighing the same."""

    samples: Annotated[int, Field(ge=1, description="Number of samples.")]
    nll: Annotated[float, Field(description="Mean of the samples' NLLs (nats per answer token).")]
    ppl: Annotated[float, Field(description="exp(nll).")]
    mean_ppl: Annotated[float, Field(description="Mean of the samples' own PPLs.")]
    score: Annotated[
        float, Field(ge=0, le=1, description="Share with every key token the arg-max.")
    ]
    exact: Annotated[
        float, Field(ge=0, le=1, description="Share with every answer token the arg-max.")
    ]


class NiahCell(NiahValues):
    """One cell of the grid."""

    length: Annotated[int, Field(description="Prompt length asked for, tokens.")]
    depth_percent: Annotated[int, Field(description="Depth asked for, percent.")]
    achieved_depth_percent: Annotated[float, Field(description="Mean depth achieved, percent.")]


class NiahBand(NiahValues):
    """Lengths beyond the source context (`extension`) or within it (`guard`), by cluster."""

    nll_by_haystack: Annotated[tuple[float, ...], Field(description="Mean NLL, by haystack.")]
    nll_by_needle: Annotated[tuple[float, ...], Field(description="Mean NLL, by needle.")]
    score_by_haystack: Annotated[tuple[float, ...], Field(description="Mean score, by haystack.")]
    score_by_needle: Annotated[tuple[float, ...], Field(description="Mean score, by needle.")]


class NiahResult(Contract):
    """Result of the probe `niah`."""

    version: Annotated[int, Field(description="Version of the probe.")]
    settings: Annotated[dict[str, Any], Field(description="Settings, defaults resolved.")]
    cells: Annotated[tuple[NiahCell, ...], Field(description="By length, then depth.")]
    bands: Annotated[
        dict[Band, NiahBand], Field(description="By band; a band without lengths is absent.")
    ]


class RetrievalHeadsResult(Contract):
    """Result of the probe `retrieval_heads`."""

    version: Annotated[int, Field(description="Version of the probe.")]
    settings: Annotated[dict[str, Any], Field(description="Settings, defaults resolved.")]
    samples: Annotated[int, Field(description="Number of samples.")]
    scores: Annotated[ScoreMap, Field(description="Mean retrieval score, layers x heads.")]
    halves: Annotated[
        tuple[ScoreMap, ScoreMap], Field(description="The same over each half of the haystacks.")
    ]
    heads: Annotated[int, Field(description="Heads with a score above the threshold.")]
    heads_interval: Annotated[
        tuple[int, int], Field(description="95 % bootstrap interval of `heads` over clusters.")
    ]


class ProbeResults(Contract):
    """Results by probe; a probe that was not run is absent."""

    niah: NiahResult
    retrieval_heads: RetrievalHeadsResult | None = None


class EvaluationReport(StoreObject):
    """`report.json`: all that the verdict needs of one checkpoint; written last, put-if-absent."""

    tokens: Annotated[int, Field(ge=0, description="Tokens trained.")]
    step: Annotated[int, Field(ge=0, description="Steps of the optimizer.")] = 0
    checkpoint_digest: Annotated[str, Field(description="Digest in the checkpoint's manifest.")]
    samples_digest: Annotated[str, Field(description="SHA-256 of the frozen samples.")]
    source_context_length: Annotated[int, Field(description="Context before the extension.")]
    target_context_length: Annotated[int, Field(description="Context after the extension.")]
    probes: Annotated[ProbeResults, Field(description="What was measured.")]
    execution_plan: Annotated[
        dict[str, Any],
        Field(
            description="Batch shapes, dtype, device, attention path; fixed at the first "
            "checkpoint."
        ),
    ] = {}
    versions: Annotated[dict[str, str], Field(description="Versions of the libraries.")] = {}
    timings: Annotated[
        dict[str, float],
        Field(description="Seconds, by stage; all that may differ between equal evaluations."),
    ] = {}


class EvaluationProgress(StoreObject):
    """`progress.json`: how far an evaluation is."""

    done: Annotated[int, Field(description="Samples done.")]
    total: Annotated[int, Field(description="Samples in all.")]
    remaining_seconds: Annotated[float | None, Field(description="Estimate of the time left.")] = (
        None
    )
    at: Annotated[datetime, Field(description="When, UTC.")]


class EvaluationFailure(StoreObject):
    """`failure.json`: why the last try failed."""

    cause: Annotated[Cause, Field(description="Kind of failure.")]
    message: Annotated[str, Field(description="Where and why, one sentence.")]
    exit_code: Annotated[int, Field(description="Exit code of the evaluator.")]
    at: Annotated[datetime, Field(description="When, UTC.")]
