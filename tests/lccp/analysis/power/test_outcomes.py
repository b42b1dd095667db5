"""What simulated plateaus are kept for, and that none is simulated twice."""

import numpy as np
import pytest

from lccp.analysis.power.designs import Design, Planned
from lccp.analysis.power.outcomes import RUNS, Plateaus, Simulated, Simulations
from lccp.analysis.simulation import Noise
from lccp.api.objects.policy import Policy
from lccp.contract.errors import InvalidInput
from lccp.probes.probe import ClusterKind

POLICY = Policy(signals=("niah_ppl",), horizon_tokens=1_000, min_gain=0.02)
CLUSTERS = {"haystack": 4}
QUIET, LOUD = (Noise.stated(sd, (ClusterKind("haystack", 4, "Text"),)) for sd in (0.05, 0.5))
PLAN = Design.even(6.0, 5.0, CLUSTERS)


def test_what_is_known_at_the_last_checkpoint_is_in_units_of_the_signal() -> None:
    plateaus = Plateaus.of(PLAN, QUIET, POLICY)
    fine, coarse = (list(plateaus.known(delta)) for delta in (0.02, 0.2))

    assert len(fine) == RUNS
    assert [gain.state for gain in fine] == plateaus.states
    assert coarse[0].interval.lower == pytest.approx(10 * fine[0].interval.lower)
    assert plateaus.saturated.tolist() == [gain.saturated for gain in fine]


def test_of_too_few_checkpoints_nothing_is_known() -> None:
    plateaus = Plateaus.of(Design.even(2.0, 1.0, CLUSTERS), QUIET, POLICY)
    assert list(plateaus.known(0.02)) == []
    assert np.isinf(plateaus.saturated_after).all()


def test_signals_that_are_planned_alike_are_simulated_once() -> None:
    plans = {
        "niah_ppl": Planned(PLAN, QUIET),
        "niah_ppl_guard": Planned(Design.even(6.0, 5.0, dict(CLUSTERS)), QUIET),
        "recovery": Planned(PLAN, LOUD),
    }
    simulated: list[Planned] = []

    def simulate(planned: Planned, policy: Policy) -> Simulated:
        assert policy is POLICY
        simulated.append(planned)
        return Simulated(planned.noise, ())

    simulations = Simulations(POLICY, plans.__getitem__, simulate)
    noises = [
        simulations.required(name).noise for name in (*plans, "niah_ppl", "recovery", "niah_ppl")
    ]

    assert noises == [QUIET, QUIET, LOUD, QUIET, LOUD, QUIET]
    assert simulated == [plans["niah_ppl"], plans["recovery"]]


def test_why_a_signal_is_not_simulated_is_told_or_refused() -> None:
    simulations = Simulations(POLICY, lambda name: f"{name}: is off")
    assert simulations.of("bio_ppl") == "bio_ppl: is off"
    with pytest.raises(InvalidInput, match="bio_ppl: is off"):
        simulations.required("bio_ppl")
