"""When a perplexity that follows the log law stops paying."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.analysis.laws.loglaw import LogLaw
from lccp.analysis.laws.stopping import Stopping, stopping, stops_paying
from lccp.analysis.simulation import Jitter, SimulatedClusters, simulated

AT = np.linspace(0.4, 8, 20)
DELTA = 0.01


def runs(
    ppl: np.ndarray, sigma: float, spread: float = 0.0, memory: float = 0.0, count: int = 400
) -> Stopping:
    rng = np.random.default_rng(0)
    kinds = {
        "haystack": SimulatedClusters(8, 0.0, 0.3 * DELTA),
        "needle": SimulatedClusters(4, 0.0, 0.1 * DELTA),
    }
    values, clusters = simulated(AT, np.log(ppl), Jitter(sigma, memory=memory), kinds, count, rng)
    own = spread * rng.normal(size=(count, 4, 1)) * np.log(ppl / ppl[0])
    common = own.mean(axis=1)
    clusters = {kind: of + common[:, None] for kind, of in clusters.items()}
    clusters["needle"] = clusters["needle"] + own - common[:, None]
    return stopping(AT, values + common, clusters, DELTA, 0.95)


@pytest.mark.slow
@given(st.floats(-0.3, -0.05), st.floats(0.002, 0.05))
def test_there_the_next_horizon_gains_just_the_least(slope: float, least: float) -> None:
    at = float(np.exp(stops_paying(LogLaw.fit(AT, 2.0 + slope * np.log(AT)), least)))
    if np.isnan(at):
        return
    now, then = (2.0 + slope * np.log(n) for n in (at, at + 1))
    assert (now - then) / now == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize(
    "ppl",
    [2 + 0.1 * np.log(AT), 1.05 - 0.1 * np.log(AT)],
    ids=["PPL rises", "PPL below 1"],
)
def test_a_law_that_never_gets_there_is_unknown(ppl: np.ndarray) -> None:
    assert np.isnan(stops_paying(LogLaw.fit(AT, ppl), 0.001))


@pytest.mark.parametrize(("spread", "memory"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5)])
def test_the_interval_holds_the_truth_as_often_as_it_says(spread: float, memory: float) -> None:
    ppl = 2 - 0.12 * np.log(AT)
    found = runs(ppl, 0.3 * DELTA, spread, memory)
    true = stops_paying(LogLaw.fit(AT, ppl), DELTA)
    assert found.known.mean() > 0.7
    assert (np.abs(found.log_at - true) <= found.half)[found.known].mean() > 0.85


def test_clusters_that_follow_each_in_its_own_way_open_the_interval() -> None:
    ppl = 2 - 0.12 * np.log(AT)
    alike, apart = runs(ppl, 0.001), runs(ppl, 0.001, spread=0.3)
    assert np.median(apart.half) > 5 * np.median(alike.half)


@pytest.mark.parametrize(
    "ppl", [1.1 + 0.9 * np.exp(-AT / 2), 1 + 0.8 * AT**-0.5], ids=["exponential", "power law"]
)
def test_other_courses_are_not_taken_for_the_law(ppl: np.ndarray) -> None:
    assert runs(ppl, 0.3 * DELTA, 0.3).known.mean() < 0.05
