"""How much worse the middle of a context is than its ends. See `lccp.probes.settings.depths`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp.probes.settings.depths import MIDDLE_PERCENT
from lccp_evaluator.probes.statistics.intervals import ClusteredMean
from lccp_evaluator.records import FloatArray


def lost_in_the_middle(
    nll: FloatArray, depth_percent: NDArray[Any], clusters: Mapping[str, NDArray[Any]]
) -> ClusteredMean | None:
    """The index over samples [N] of one band, given the cluster of each, by kind.

    The first kind's clusters have equal weights; crossed kinds average to the same value. None if a
    cluster has no sample in one of the thirds.
    """
    third = np.digitize(depth_percent, MIDDLE_PERCENT)
    by_cluster = {}
    for kind, labels in clusters.items():
        own = [labels == label for label in np.unique(labels)]
        if any(np.unique(third[one]).size < 3 for one in own):
            return None
        by_cluster[kind] = np.array([_index(nll[one], depth_percent[one]) for one in own])
    value = float(next(iter(by_cluster.values())).mean())
    return ClusteredMean(value, by_cluster)


def _index(nll: FloatArray, depth_percent: NDArray[Any]) -> float:
    """The middle's mean above the line through those of the ends, at the middle's mean depth."""
    third = np.digitize(depth_percent, MIDDLE_PERCENT)
    depths = [depth_percent[third == number].mean() for number in range(3)]
    first, middle, last = (nll[third == number].mean() for number in range(3))
    return float(middle - np.interp(depths[1], depths[::2], (first, last)))
