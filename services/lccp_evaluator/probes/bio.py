"""Questions about biographies' facts: values by band and cell. See `lccp.probes.bio`."""

from collections.abc import Iterator

import numpy as np

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Band
from lccp.probes import bio
from lccp.probes.bio import BioSettings
from lccp.probes.probe import Contexts
from lccp.probes.settings.bands import quantity
from lccp_evaluator.probes.measurement import (
    Column,
    Measurement,
    SampleSource,
    TorchHalf,
    means,
    measured,
)
from lccp_evaluator.probes.statistics.cells import by_depth_and_length, by_sample
from lccp_evaluator.probes.statistics.depths import lost_in_the_middle
from lccp_evaluator.records import BoolArray, FloatArray, Records
from lccp_evaluator.sampling import facts

CLUSTERS = ("document", "attribute")


def measure(records: Records, asked: BioSettings, contexts: Contexts) -> Measurement:
    """Signals of both bands, a grid [depths, lengths], and the values of every sample."""
    length = records.label("nominal_length")
    beyond = length > contexts.source
    bands: dict[Band, BoolArray] = {"extension": beyond, "guard": ~beyond}
    score = records.key_is_arg_max
    found = [
        signal
        for band, chosen in bands.items()
        if chosen.any()
        for signal in _signals(band, asked, records.where(chosen), score[chosen])
    ]
    depth, achieved = (records.label(f"{name}depth_percent") for name in ("", "achieved_"))
    more = {"score": score, "achieved_depth_percent": achieved}
    details = by_depth_and_length(depth, length, records.nll, contexts.source, more)
    return Measurement(found, details, by_sample(records, {"score": score}))


def _signals(
    band: Band, asked: BioSettings, records: Records, score: FloatArray
) -> Iterator[SignalValue]:
    """The signals of a band, with their means by document and by attribute.

    The loss in the middle is by document only, and left out where one has too few facts.
    """
    groups = {kind: records.label(kind) for kind in CLUSTERS}
    columns: dict[str, Column] = {
        "bio_ppl": (records.nll, np.exp),
        "bio_score": (score, np.asarray),
    }
    middle = lost_in_the_middle(
        records.nll, records.label("depth_percent"), {"document": groups["document"]}
    )
    declared = [signal for signal in bio.signals(asked) if signal.band == band]
    yield from means(declared, columns, groups)
    for signal in declared:
        if middle is not None and quantity(signal) not in columns:
            yield measured(signal, middle.value, len(score), middle.by_cluster, middle.interval)


HALF = TorchHalf(bio.PROBE.name, measure, source=SampleSource(facts.VERSION, facts.draw))
