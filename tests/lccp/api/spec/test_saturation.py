"""The consequences of a verdict and of failures."""

import pytest

from lccp.api.spec.saturation import RestartPolicy, SaturationSpec, horizon_of_budget
from lccp.contract.errors import InvalidInput


def test_without_any_signal_the_needles_perplexity_is_primary() -> None:
    assert [one.name for one in SaturationSpec().primaries] == ["niah_ppl"]
    given = SaturationSpec.parse({"signals": [{"name": "recovery", "minGain": "0.1"}]}, "s")
    assert [(one.name, one.min_gain) for one in given.primaries] == [("recovery", 0.1)]


@pytest.mark.parametrize(("quorum", "signals"), [(2, 1), (2, 0), (4, 3)])
def test_a_quorum_that_cannot_be_met_is_refused(quorum: int, signals: int) -> None:
    given = [{"name": f"s{number}"} for number in range(signals)]
    with pytest.raises(InvalidInput, match=r"saturation\.quorum exceeds the number of signals"):
        SaturationSpec.parse({"quorum": quorum, "signals": given}, "s")


def test_a_quorum_of_all_can() -> None:
    assert SaturationSpec.parse({"quorum": 1}, "s").quorum == 1


def test_the_horizon_is_an_eighth_of_the_budget_and_never_nothing() -> None:
    assert SaturationSpec().horizon(800) == 100
    assert SaturationSpec(horizon_tokens=7).horizon(800) == 7
    assert horizon_of_budget(3) == 1


def test_the_wait_doubles_up_to_the_longest() -> None:
    policy = RestartPolicy(backoff_seconds=10, max_backoff_seconds=60)

    assert [policy.wait_seconds(n) for n in range(1, 6)] == [10, 20, 40, 60, 60]
    assert RestartPolicy(backoff_seconds=0).wait_seconds(9) == 0
    assert RestartPolicy(backoff_seconds=1, max_backoff_seconds=86_400).wait_seconds(18) == 86_400
    assert policy.wait_seconds(10**12) == 60
