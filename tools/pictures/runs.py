"""A simulated run for each state of a verdict, judged by the shipped rules."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lccp.analysis.rules.grid import Array
from lccp.analysis.simulation import FOLLOWS, SCATTER, Jitter, SimulatedClusters, simulated
from lccp.analysis.trajectory import Series, Trajectory
from lccp.analysis.verdict import judge_trajectory
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Verdict, VerdictState
from lccp.probes.niah import NiahSettings, signals

BUDGET, CHECKPOINTS = 200_000_000_000, 40
POLICY = Policy(
    horizon_tokens=BUDGET // 8,
    horizon_source="Budget",
    budget_tokens=BUDGET,
    min_gain=0.01,
)
CLUSTERS = {"haystack": 10, "needle": 4}
SHARES = {"haystack": "Text", "needle": "Question"}
OWN_SLOPES = 0.5
"""How far clusters drift apart, relative to those of a run that gains δ a horizon."""
SIGNALS = {signal.name: signal for signal in signals(NiahSettings())}


@dataclass(frozen=True)
class SimulatedRun:
    """True courses against horizons; jitter in units of `minGain`."""

    state: VerdictState
    """The state in which it ends."""
    log_ppl: Callable[[Array], Array]
    score: Callable[[Array], Array]
    jitter: float = 0.2
    seed: int = 0

    def verdict(self) -> Verdict:
        at = np.arange(1, CHECKPOINTS + 1) * 8 / CHECKPOINTS
        rng, delta = np.random.default_rng(self.seed), POLICY.min_gain
        tokens = (at * POLICY.horizon_tokens).astype(np.int64)
        kinds = {
            name: SimulatedClusters(
                count, OWN_SLOPES * FOLLOWS[SHARES[name]], SCATTER[SHARES[name]]
            )
            for name, count in CLUSTERS.items()
        }
        curve = -self.log_ppl(at) / delta
        values, clusters = simulated(at, curve, Jitter(self.jitter), kinds, 1, rng)
        scores = self.score(at)
        series = (
            Series(SIGNALS["niah_ppl"], tokens, delta * values[0], _of(clusters, delta)),
            Series(SIGNALS["niah_score"], tokens, scores, _same(scores)),
        )
        return judge_trajectory(Trajectory({one.signal.name: one for one in series}), POLICY)


def _of(clusters: dict[str, Array], delta: float) -> dict[str, Array]:
    return {kind: delta * of[0].T for kind, of in clusters.items()}


def _same(scores: Array) -> dict[str, Array]:
    return {kind: np.tile(scores[:, None], count) for kind, count in CLUSTERS.items()}


def _falls(at: Array, horizons: float) -> Array:
    """Log-PPL that falls exponentially to 0.06."""
    return 0.06 + 0.3 * np.exp(-at / horizons)


def _rises_to(ceiling: float, horizons: float = 1.0) -> Callable[[Array], Array]:
    return lambda at: ceiling * (1 - 0.6 * np.exp(-at / horizons))


RUNS = (
    SimulatedRun(
        VerdictState.IMPROVING,
        lambda at: 0.5 - 0.1 * np.log(at + 0.2),
        lambda at: 0.4 + 0.05 * at,
    ),
    SimulatedRun(
        VerdictState.DECEPTIVELY_SATURATED,
        lambda at: 0.35 - 0.1 * np.log(at + 0.2),
        lambda at: np.minimum(1.0, 0.55 + 0.3 * at),
    ),
    SimulatedRun(
        VerdictState.SATURATED,
        lambda at: _falls(at, horizons=1.0),
        lambda at: np.minimum(1.0, 0.55 + 0.3 * at),
    ),
    SimulatedRun(
        VerdictState.REGRESSING,
        lambda at: _falls(at, horizons=0.8) + 0.03 * np.maximum(0.0, at - 5.5),
        _rises_to(0.97),
    ),
    SimulatedRun(
        VerdictState.UNDETERMINED,
        lambda at: 0.25 - 0.006 * at,
        _rises_to(0.9),
        jitter=2.5,
        seed=6,
    ),
)
