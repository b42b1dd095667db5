"""Load of the experts: how even it is, by layer and position. See `lccp.probes.routing`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel

from lccp.probes import routing
from lccp.probes.probe import Contexts
from lccp.probes.routing import BANDS, RoutingSettings
from lccp_evaluator.model import experts
from lccp_evaluator.probes.measurement import Measurement, TorchHalf, measured
from lccp_evaluator.records import FloatArray, Records
from lccp_evaluator.sampling.samples import Sample

CLUSTERS = {"Niah": "haystack", "Bio": "document", "CorpusPpl": "document"}
"""Kind of cluster, by source: the longest prompt of each cluster is routed."""


def longest(samples: Sequence[Sample], asked: RoutingSettings) -> set[int]:
    """Numbers of the samples that are routed."""
    best: dict[float, int] = {}
    for number, sample in enumerate(samples):
        cluster = sample.labels.get(CLUSTERS[asked.source])
        if cluster is not None:
            before = best.setdefault(cluster, number)
            if sample.length > samples[before].length:
                best[cluster] = number
    return set(best.values())


def measure(records: Records, asked: RoutingSettings, contexts: Contexts) -> Measurement:
    """Signals, the load [layers, experts], and entropy and largest load [layers, bands]."""
    routed = records.where(np.array([reading.load.size > 0 for reading in records.readings]))
    counts = np.stack([reading.load for reading in routed.readings]).astype(np.float64)
    positions = -(-np.arange(BANDS) * int(routed.length.min()) // BANDS)
    whole, by_band = shares(counts.sum(axis=2)), shares(counts)
    values = {
        "routing_entropy": entropy(whole).mean(axis=1),
        "routing_busiest": whole.max(axis=-1).mean(axis=1),
    }
    beyond = positions >= contexts.source
    notes = []
    if beyond.any():
        far, near = (shares(counts[:, :, chosen].sum(axis=2)) for chosen in (beyond, ~beyond))
        values["routing_shift"] = np.abs(far - near).sum(axis=-1).mean(axis=1) / 2
    else:
        notes.append("routing: the shift is not measured: no prompt goes beyond the source context")
    kind = CLUSTERS[asked.source]
    found = [
        measured(signal, float(own.mean()), len(own), {kind: own})
        for signal in routing.signals(asked)
        if (own := values.get(signal.name)) is not None
    ]
    details = {
        "load": whole.mean(axis=0),
        "entropy": entropy(by_band).mean(axis=0),
        "busiest": by_band.max(axis=-1).mean(axis=0),
        "entropy_by_position": entropy(by_band).mean(axis=(0, 1)),
        "positions": positions,
    }
    return Measurement(found, details, notes=notes)


def shares(counts: FloatArray) -> FloatArray:
    """`counts` [..., experts] divided by their sum."""
    load: FloatArray = counts / counts.sum(axis=-1, keepdims=True)
    return load


def entropy(load: FloatArray) -> FloatArray:
    """`-Σ p log p / log E` of the loads p [..., E]."""
    terms: NDArray[np.float64] = load * np.log(np.where(load > 0, load, 1.0))
    normalized: FloatArray = -terms.sum(axis=-1) / np.log(load.shape[-1])
    return normalized


def fits(model: PreTrainedModel, _asked: RoutingSettings) -> None:
    """Raise InvalidInput if `model` has no experts."""
    experts.count(model)


HALF = TorchHalf(routing.PROBE.name, measure, routes=longest, fits=fits)
