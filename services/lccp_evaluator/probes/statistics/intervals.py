"""95 % intervals of means over samples that come in clusters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

COVERAGE = 0.95


def interval(
    value: float, clusters: Mapping[str, NDArray[np.float64]]
) -> tuple[float, float] | None:
    """The interval of `value`, given each cluster's own value, by kind of cluster.

    The variances of the kinds add, so variance that haystacks and needles share counts twice: the
    interval is rather too wide. Student's t, with Welch-Satterthwaite degrees of freedom. None: no
    kind has two clusters.
    """
    kinds = [own for own in clusters.values() if len(own) > 1]
    if not kinds:
        return None
    variances = np.array([own.var(ddof=1) / len(own) for own in kinds])
    degrees = np.array([len(own) - 1 for own in kinds])
    variance = float(variances.sum())
    if variance == 0:
        return value, value
    together = variance**2 / float((variances**2 / degrees).sum())
    half = float(stdtrit(together, (1 + COVERAGE) / 2)) * math.sqrt(variance)
    return value - half, value + half


@dataclass(frozen=True)
class ClusteredMean:
    """A number, and its values by cluster, by kind."""

    value: float
    by_cluster: Mapping[str, NDArray[np.float64]]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95 % interval."""
        return interval(self.value, self.by_cluster)
