"""How well a plan answers its gate about plateaus."""

from collections import Counter

import pytest

from lccp.analysis.gate import parsed
from lccp.analysis.power.designs import Design, Planned
from lccp.analysis.power.gates import SentencePower, answers, gate_powers, not_simulated
from lccp.analysis.power.outcomes import Plateaus, Simulated, Simulations
from lccp.analysis.simulation import Noise
from lccp.api.objects.policy import Policy
from lccp.probes.probe import ClusterKind

POLICY = Policy(
    signals=("niah_ppl",), horizon_tokens=1_000, min_gain=0.02, min_gains={"recovery": 0.1}
)
KINDS = (ClusterKind("haystack", 8, "Text"), ClusterKind("needle", 8, "Question"))
CLUSTERS = {"haystack": 8, "needle": 8}
DENSE, SPARSE = (Design.even(8.0, density, CLUSTERS) for density in (10.0, 1.0))
QUIET = Noise.stated(0.05, KINDS)
LOUD = Noise.stated(2.0, KINDS)


def answered(
    sentence: str, noise: Noise = QUIET, design: Design = DENSE, delta: float = 0.02
) -> Counter[str]:
    return Counter(answers(parsed(sentence), Plateaus.of(design, noise, POLICY), delta))


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("recovery not regressing", "Yes"),
        ("recovery regressing", "No"),
        ("recovery is on a plateau", "Yes"),
        ("recovery improving", "No"),
        ("recovery gain upper bound < 0.02", "Yes"),
        ("recovery gain lower bound > 0", "No"),
        ("niah_ppl saturated", "Yes"),
    ],
)
def test_without_noise_to_speak_of_nearly_all_plateaus_are_answered_right(
    sentence: str, answer: str
) -> None:
    assert answered(sentence)[answer] > 0.9 * 200


def test_noise_leaves_most_undecided_whether_a_signal_regresses() -> None:
    found = answered("recovery not regressing", LOUD)
    assert found["Undecided"] > 0.5 * 200
    assert found["Yes"] < 0.2 * 200


def test_too_few_checkpoints_decide_nothing() -> None:
    assert answered("recovery gain < 1", design=Design.even(2.0, 1.0, CLUSTERS)) == {
        "Undecided": 200
    }


def test_a_number_is_on_the_scale_of_the_signal_whose_own_minimum_gain_counts() -> None:
    """The noise is in units of it."""
    fine = answered("recovery gain upper bound < 0.02", delta=0.02)
    coarse = answered("recovery gain upper bound < 0.02", delta=0.2)
    assert fine["Yes"] > 0.9 * 200
    assert coarse["Yes"] < 0.5 * 200


def test_a_design_is_as_good_as_its_share_of_right_answers() -> None:
    simulated = Simulated.of(Planned(SPARSE, LOUD), POLICY)
    found = SentencePower.of("recovery not regressing", "recovery", simulated, POLICY)
    assert (found.signal, found.answer) == ("recovery", "Yes")
    assert found.powers[0].design is SPARSE
    own = answered("recovery not regressing", LOUD, SPARSE, delta=0.1)
    assert found.powers[0].share == own["Yes"] / 200


def test_a_gate_is_simulated_by_sentence_and_signal_and_the_rest_is_named() -> None:
    asked = ("guards not regressing", "recovery >= 0.8", "bio_ppl improving")
    policy = POLICY.model_copy(update={"gate": asked})
    plans = {"a_guard": Planned(SPARSE, QUIET), "b_guard": Planned(SPARSE, QUIET)}

    simulations = Simulations(policy, lambda s: plans.get(s, f"{s}: is off"))
    found, unknown = gate_powers(policy, list(plans), simulations.of)

    assert [(one.sentence, one.signal) for one in found] == [
        ("guards not regressing", "a_guard"),
        ("guards not regressing", "b_guard"),
    ]
    assert unknown == [
        "recovery >= 0.8: is about a value, which no plan determines",
        "bio_ppl improving: bio_ppl: is off",
    ]


def test_guards_that_are_none_are_not_simulated() -> None:
    policy = POLICY.model_copy(update={"gate": ("guards not regressing",)})
    assert gate_powers(policy, (), str) == ([], ["guards not regressing: there are no guards"])


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("recovery lower bound >= 0.8", "is about a value"),
        ("verdict is saturated", "is about the verdict"),
        ("recovery is saturated", "is always answered No"),
        ("recovery not saturated", "is always answered Yes"),
    ],
)
def test_what_no_plateau_tells_is_not_simulated(sentence: str, why: str) -> None:
    assert not_simulated(sentence, POLICY).startswith(why)
