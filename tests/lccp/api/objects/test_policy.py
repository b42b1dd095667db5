"""The policy of a verdict."""

import pytest

from lccp.api.objects.policy import Policy


def test_the_first_signal_leads() -> None:
    assert Policy(horizon_tokens=1, signals=("recovery", "niah_ppl")).signal == "recovery"


@pytest.mark.parametrize(("quorum", "needed"), [(None, 3), (1, 1), (3, 3), (8, 3)])
def test_a_quorum_is_at_most_all(quorum: int | None, needed: int) -> None:
    assert Policy(horizon_tokens=1, signals=("a", "b", "c"), quorum=quorum).needed == needed


def test_a_signal_may_have_a_least_gain_of_its_own() -> None:
    policy = Policy(horizon_tokens=1, min_gain=0.01, min_gains={"recovery": 0.2})

    assert (policy.delta("recovery"), policy.delta("niah_ppl")) == (0.2, 0.01)
