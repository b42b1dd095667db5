"""Perplexity by distance and interference, and its slope. See `lccp.probes.interference`."""

import numpy as np
from numpy.typing import NDArray

from lccp.probes import interference
from lccp.probes.interference import InterferenceSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.measurement import Arrays, Measurement, TorchHalf, measured
from lccp_evaluator.probes.statistics.cells import Cells
from lccp_evaluator.records import BoolArray, FloatArray, Records, mean_by
from lccp_evaluator.sampling.crossing import FULL, around_needle

CLUSTERS = ("haystack", "needle")
TELLS_APART = 1e-3
"""Least share of interference's variance that levels and distance do not explain."""


def measure(records: Records, asked: InterferenceSettings, contexts: Contexts) -> Measurement:
    """The slope at the given distance, and perplexity by bin [distances, interferences]."""
    assert asked.distance is not None
    full, width = records.of(FULL), contexts.target / asked.bins
    before, distance = np.array([around_needle(sample) for sample in full.samples]).T
    near = np.abs(distance - asked.distance) <= width
    details = _details(full.nll, before, distance, near, width)
    groups = {kind: full.label(kind)[near] for kind in CLUSTERS}
    weights = slope_weights(before[near], distance[near], groups)
    if weights is None:
        note = (
            "interference: the slope is not measured: the grid of niah does not separate "
            f"interference from distance near {asked.distance:,} tokens"
        )
        return Measurement((), details, notes=(note,))
    shares = contexts.target * weights * full.nll[near]
    clusters = {kind: _by_cluster(shares, group) for kind, group in groups.items()}
    (signal,) = interference.signals(asked)
    return Measurement((measured(signal, float(shares.sum()), len(shares), clusters),), details)


def slope_weights(
    before: NDArray[np.int64], distance: NDArray[np.int64], groups: dict[str, NDArray[np.int64]]
) -> FloatArray | None:
    """Weights [N] whose sum with the NLLs is their least-squares slope against `before`.

    `distance` [N] and a level for each of `groups` [N] are fitted as well. None if the samples
    cannot separate these effects.
    """
    if len(before) == 0:
        return None
    levels = [(group[:, None] == np.unique(group)[1:]).astype(float) for group in groups.values()]
    others = np.column_stack([np.ones(len(before)), *levels, distance - distance.mean()])
    own = before - before.mean()
    fitted = np.linalg.lstsq(others, own, rcond=None)[0]
    rest: FloatArray = own - others @ fitted
    spread = float(rest @ rest)
    return rest / spread if spread > TELLS_APART * float(own @ own) else None


def _by_cluster(shares: FloatArray, group: NDArray[np.int64]) -> FloatArray:
    """Value of each cluster: the sum of its `shares` [N], times the number of clusters."""
    clusters = np.unique(group)
    return len(clusters) * np.array([shares[group == one].sum() for one in clusters])


def _details(
    nll: FloatArray,
    before: NDArray[np.int64],
    distance: NDArray[np.int64],
    near: BoolArray,
    width: float,
) -> Arrays:
    """Means by bin, which is named by its beginning; NaN where there is no sample."""
    down, across = (_begins(tokens, width) for tokens in (distance, before))
    cells = Cells(down, across)
    found = {
        "distances": cells.rows,
        "interferences": cells.columns,
        "samples": cells.samples,
        "ppl": np.exp(cells.means(nll)),
    }
    if near.any():
        found["interferences_near"] = np.unique(across[near])
        found["ppl_near"] = np.exp(mean_by(across[near], nll[near]))
    return found


def _begins(tokens: NDArray[np.int64], width: float) -> NDArray[np.int64]:
    """Beginnings of the bins of `tokens` [N]."""
    begins: NDArray[np.int64] = np.round(np.floor(tokens / width) * width).astype(np.int64)
    return begins


HALF = TorchHalf(interference.PROBE.name, measure)
