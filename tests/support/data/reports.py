"""Evaluation reports made from plain numbers, with the details beside them."""

import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lccp.api.objects.report import EvaluationReport, ObjectReference, ProbeReport, SignalValue
from lccp.contract.signals import Signal
from lccp.probes import niah
from lccp.probes.heads import retrieval_heads
from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Details

HAYSTACKS, NEEDLES = 6, 4
WITHOUT_CONTEXT = 4.0
"""NLL of an answer that nothing tells, in nats a token; with the needle alone it is 0."""
NIAH = NiahSettings(lengths=(128, 512), haystacks=HAYSTACKS, needles_per_haystack=NEEDLES)
HEADS = RetrievalHeadsSettings(top_heads=3)
DECLARED = {
    signal.name: signal for signal in (*niah.signals(NIAH), *retrieval_heads.signals(HEADS))
}


def declared(name: str) -> Signal:
    """The signal of that name, as its probe declares it."""
    return DECLARED[name]


def a_value(
    signal: Signal,
    value: float,
    clusters: Mapping[str, Sequence[float]] | None = None,
    interval: tuple[float, float] | None = None,
    n: int = HAYSTACKS * NEEDLES,
) -> SignalValue:
    """A measured signal."""
    by_cluster = {kind: tuple(map(float, values)) for kind, values in (clusters or {}).items()}
    return SignalValue(
        **{name: getattr(signal, name) for name in Signal.model_fields},
        value=value,
        n=n,
        by_cluster=by_cluster,
        interval=interval,
    )


def around(mean: float, clusters: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Values whose mean is exactly `mean`."""
    scatter = rng.normal(0, spread, clusters)
    return mean + scatter - scatter.mean()


def niah_values(
    band: str,
    nll: float,
    score: float,
    spread: float,
    rng: np.random.Generator,
    needle_spread: float | None = None,
) -> list[SignalValue]:
    """The signals of a band: its haystacks scatter by `spread` in NLL, its needles by less."""
    suffix = "" if band == "extension" else "_guard"
    own = spread * math.sqrt(NEEDLES / HAYSTACKS) if needle_spread is None else needle_spread
    nlls = {
        "haystack": around(nll, HAYSTACKS, spread, rng),
        "needle": around(nll, NEEDLES, own, rng),
    }
    ppls = {kind: np.exp(values).tolist() for kind, values in nlls.items()}
    gains = {kind: WITHOUT_CONTEXT - values for kind, values in nlls.items()}
    recovered = {kind: values / WITHOUT_CONTEXT for kind, values in gains.items()}
    middle = {kind: values / 4 for kind, values in nlls.items()}
    scores = {"haystack": [score] * HAYSTACKS, "needle": [score] * NEEDLES}
    return [
        a_value(declared(f"niah_ppl{suffix}"), math.exp(nll), ppls),
        a_value(declared(f"niah_score{suffix}"), score, scores),
        a_value(declared(f"niah_exact{suffix}"), score, scores),
        a_value(declared(f"niah_mean_ppl{suffix}"), math.exp(nll), ppls),
        a_value(declared(f"context_gain{suffix}"), WITHOUT_CONTEXT - nll, gains),
        a_value(declared(f"recovery{suffix}"), 1 - nll / WITHOUT_CONTEXT, recovered),
        a_value(declared(f"niah_lost_in_the_middle{suffix}"), nll / 4, middle, (0.0, nll / 2)),
    ]


def heads_values(
    scores: np.ndarray, interval: tuple[float, float] | None = None
) -> tuple[Any, ...]:
    """The signals of the score map `scores` [layers, heads]."""
    count = float((scores > HEADS.threshold).sum())
    low, high = interval or (0.0, float(scores.size))
    return (
        a_value(declared("retrieval_heads"), count, None, (low, high)),
        a_value(declared("retrieval_score_mean"), float(scores.mean())),
        a_value(declared("needle_mass"), float(scores.mean()) / 2),
        a_value(declared("score_top_share"), 0.6),
        a_value(declared("score_gini"), 0.7),
    )


def packed(details: Details) -> bytes:
    """The details as they lie in a store."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **details)
    return buffer.getvalue()


def part(
    probe: str,
    settings: Mapping[str, Any],
    signals: Sequence[SignalValue],
    details: Details | None = None,
) -> ProbeReport:
    """A probe's part of a report, with the reference to its details if there are any."""
    reference = None
    if details is not None:
        digest = hashlib.sha256(packed(details)).hexdigest()
        reference = ObjectReference(name=f"{probe}.npz", sha256=digest)
    return ProbeReport(
        version=1,
        settings=dict(settings),
        samples_digest="5a" * 32,
        signals=tuple(signals),
        details=reference,
    )


def report_with(probes: Mapping[str, ProbeReport], tokens: int, **changes: Any) -> EvaluationReport:
    """A report of these probes' parts."""
    document: dict[str, Any] = {
        "tokens": tokens,
        "step": tokens // 100,
        "checkpoint_digest": f"{tokens:064x}",
        "source_context_length": 256,
        "target_context_length": 512,
        "probes": probes,
    }
    return EvaluationReport(**document | changes)


def a_report(
    tokens: int,
    nll: float,
    score: float = 1.0,
    guard_nll: float | None = 0.05,
    spread: float = 0.0,
    seed: int = 0,
    heads: np.ndarray | None = None,
    **changes: Any,
) -> EvaluationReport:
    """A report whose bands hold these means; haystacks scatter by `spread`, needles by less."""
    rng = np.random.default_rng([tokens, seed])
    signals = niah_values("extension", nll, score, spread, rng)
    if guard_nll is not None:
        signals += niah_values("guard", guard_nll, score, spread, rng)
    probes = {"niah": part("niah", NIAH.document(), signals)}
    if heads is not None:
        maps = {"scores": heads, "halves": np.stack([heads, heads])}
        values = heads_values(heads)
        probes["retrieval_heads"] = part("retrieval_heads", HEADS.document(), values, maps)
    return report_with(probes, tokens, **changes)


def without_signals(report: EvaluationReport, *names: str) -> EvaluationReport:
    """The report without these signals."""
    return changed(report, lambda signal: None if signal.name in names else signal)


def changed(report: EvaluationReport, change: Any) -> EvaluationReport:
    """The report with each signal as `change` makes it; None leaves it out."""
    probes = {
        name: probe.model_copy(
            update={"signals": tuple(s for s in map(change, probe.signals) if s is not None)}
        )
        for name, probe in report.probes.items()
    }
    return report.model_copy(update={"probes": probes})
