"""What was read of every sample: the one input of all probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.sampling.samples import FrozenSamples, Sample

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Records:
    """The readings of all samples, in the samples' order; N samples, H haystacks, M needles."""

    frozen: FrozenSamples
    readings: Sequence[Reading]

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.frozen.samples

    @property
    def seed(self) -> int:
        """Seed that the samples were drawn with."""
        return int(self.frozen.header.settings["seed"])

    @cached_property
    def haystack(self) -> NDArray[np.int64]:
        """Number of the haystack of each sample [N]."""
        return np.array([sample.haystack for sample in self.samples])

    @cached_property
    def needle(self) -> NDArray[np.int64]:
        """Number of the needle of each sample [N]."""
        return np.array([sample.needle for sample in self.samples])

    @cached_property
    def length(self) -> NDArray[np.int64]:
        """Tokens of each sample [N]."""
        return np.array([sample.length for sample in self.samples])

    @cached_property
    def depth_percent(self) -> NDArray[np.int64]:
        """Depth asked for, of each sample [N]."""
        return np.array([sample.depth_percent for sample in self.samples])

    @cached_property
    def achieved_depth_percent(self) -> FloatArray:
        """Depth achieved, of each sample [N]."""
        return np.array([sample.achieved_depth_percent for sample in self.samples])

    def columns(self) -> dict[str, NDArray[Any]]:
        """What tells the samples apart, as arrays [N] for the files beside the report."""
        return {
            "length": self.length,
            "depth_percent": self.depth_percent,
            "achieved_depth_percent": self.achieved_depth_percent,
            "haystack": self.haystack,
            "needle": self.needle,
        }


def mean_by(groups: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    """Mean of `values` [N, ...] by group 0, 1, …: [number of groups, ...]."""
    return np.stack([values[groups == group].mean(axis=0) for group in range(groups.max() + 1)])
