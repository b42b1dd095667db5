"""Perplexity of key tokens, and of the others. See `lccp.probes.long_ppl`."""

from collections.abc import Sequence

import numpy as np

from lccp.probes import long_ppl
from lccp.probes.long_ppl import LongPplSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.measurement import (
    Arrays,
    KeyChoice,
    Measurement,
    SampleSource,
    TorchHalf,
    measured,
)
from lccp_evaluator.probes.statistics.cells import by_sample
from lccp_evaluator.records import BoolArray, FloatArray, Records, mean_by
from lccp_evaluator.sampling import keys

BANDS = 8


def measure(records: Records, asked: LongPplSettings, _contexts: Contexts) -> Measurement:
    """Both signals, the keys' perplexity by position, and values of every document with keys."""
    having = records.where(np.array([bool(sample.keys) for sample in records.samples]))
    nll = [reading.nll.astype(np.float64) for reading in having.readings]
    is_key = [_mask(one.keys or (), len(own)) for one, own in zip(having.samples, nll, strict=True)]
    of_keys = _means(nll, is_key)
    of_others = _means(nll, [~mask for mask in is_key])
    found = [
        measured(signal, float(np.exp(own.mean())), len(own), {"document": np.exp(own)})
        for signal, own in zip(long_ppl.signals(asked), (of_keys, of_others), strict=True)
        if len(own)
    ]
    counts = np.array([mask.sum() for mask in is_key])
    judged = sum(len(reading.nll) for reading in records.readings)
    note = (
        f"longPpl: {counts.sum():,} of {judged:,} judged tokens, in {len(counts)} of "
        f"{len(records.samples)} documents, are keys, chosen by {records.frozen.header.chosen_by}"
    )
    columns = {"key_nll": of_keys, "keys": counts}
    return Measurement(found, _by_position(having, is_key), by_sample(having, columns), [note])


def _mask(keys: Sequence[int], count: int) -> BoolArray:
    """Whether each of `count` tokens is one of `keys`."""
    mask = np.zeros(count, np.bool_)
    mask[list(keys)] = True
    return mask


def _means(nll: Sequence[FloatArray], chosen: Sequence[BoolArray]) -> FloatArray:
    """Mean of the chosen tokens of each document that has any."""
    pairs = zip(nll, chosen, strict=True)
    return np.array([own[mask].mean() for own, mask in pairs if mask.any()], np.float64)


def _by_position(having: Records, is_key: Sequence[BoolArray]) -> Arrays:
    """Perplexity of the keys by band of position, and each band's beginning."""
    places = np.concatenate(
        [
            one.answer[0] + np.flatnonzero(mask)
            for one, mask in zip(having.samples, is_key, strict=True)
        ]
    )
    nll = np.concatenate([r.nll[mask] for r, mask in zip(having.readings, is_key, strict=True)])
    distinct = np.unique(places)
    bands = np.array_split(distinct, min(BANDS, len(distinct)))
    positions = np.array([band[0] for band in bands])
    band = np.searchsorted(positions, places, side="right")
    return {
        "positions": positions,
        "ppl_by_position": np.exp(mean_by(band, nll.astype(np.float64))),
    }


HALF = TorchHalf(
    long_ppl.PROBE.name,
    measure,
    source=SampleSource(
        keys.VERSION, keys.draw, KeyChoice(keys.key_model, keys.turns, keys.choose)
    ),
)
