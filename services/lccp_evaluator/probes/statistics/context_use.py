"""What the context is worth to the model: gain and recovery, over the samples of a band.

Both are means over samples, so each cluster has a share in them: a value of its own, and their mean
is the whole's. The share in a quotient is its linearization around the quotient of the means.
"""

from dataclasses import dataclass

from lccp_evaluator.probes.statistics.intervals import Estimate, interval
from lccp_evaluator.records import FloatArray, mean_by


@dataclass(frozen=True)
class ContextUse:
    """NLL (nats a token) of each answer with the whole prompt, `full` [N], of which `haystack` [N]
    and `needle` [N] are given; and by needle without context, `none`, and with the needle alone as
    context, `oracle`.
    """

    full: FloatArray
    haystack: FloatArray
    needle: FloatArray
    none: FloatArray
    oracle: FloatArray

    @property
    def gain(self) -> Estimate:
        """`none - full`."""
        by_needle = self.none - mean_by(self.needle, self.full)
        by_haystack = self.none.mean() - mean_by(self.haystack, self.full)
        return Estimate(float(by_needle.mean()), {"haystack": by_haystack, "needle": by_needle})

    @property
    def recovery(self) -> Estimate | None:
        """`(none - full) / (none - oracle)`; None where the latter is not above 0 for sure."""
        best = self.none - self.oracle
        sure = interval(float(best.mean()), {"needle": best})
        if sure is None or not sure[0] > 0:
            return None
        gain, whole = self.gain, float(best.mean())
        value = gain.value / whole
        by_needle = value + (gain.by_cluster["needle"] - value * best) / whole
        by_cluster = {"haystack": gain.by_cluster["haystack"] / whole, "needle": by_needle}
        return Estimate(value, by_cluster)
