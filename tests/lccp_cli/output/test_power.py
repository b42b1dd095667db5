import json
from math import inf

import pytest

from lccp.analysis.power.designs import Design
from lccp.analysis.power.gates import GatePower, SentencePower
from lccp.analysis.power.plateaus import Power, SignalPower
from lccp.analysis.simulation import Noise
from lccp_cli.output.power import power_json, show_gate_power, show_power

NOISE = Noise(jitter=0.3, slopes={"document": 0.5}, scatter={"document": 1.0})


def power(documents: int, within: float, median: float = inf) -> Power:
    design = Design.even(8.0, 2.0, {"document": documents})
    return Power(design, within=within, whole=within, median_horizons=median)


def advice_of(*powers: Power) -> str:
    (printed,) = json.loads(power_json([SignalPower("corpus_ppl", NOISE, powers)]))["signals"]
    advice: str = printed["advice"]
    return advice


def test_the_first_row_is_the_plan_and_kinds_of_clusters_are_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_power(SignalPower("corpus_ppl", NOISE, [power(8, 0.5), power(16, 0.9, 3.25)]))

    title, head, own, other, *_ = capsys.readouterr().out.splitlines()
    assert title.startswith("corpus_ppl: share of plateaus")
    assert head.split()[:2] == ["checkpoints", "documents"]
    assert own.split() == ["16", "8", "50%", "50%", "never"]
    assert other.split() == ["16", "16", "90%", "90%", "3.2", "T"]


def test_a_plan_that_suffices_needs_no_other() -> None:
    assert advice_of(power(8, 0.85), power(16, 0.9)).startswith("The plan suffices")


def test_the_advice_is_the_design_with_the_fewest_samples_that_suffices() -> None:
    advice = advice_of(power(8, 0.5), power(32, 0.95), power(16, 0.9))

    assert "16 checkpoints, 16 documents (90%)" in advice


def test_where_no_design_suffices_the_advice_is_about_the_noise() -> None:
    assert "none of the others suffices" in advice_of(power(8, 0.5), power(16, 0.7))


def test_a_median_that_is_never_reached_is_null_in_json() -> None:
    document = json.loads(
        power_json([SignalPower("corpus_ppl", NOISE, [power(8, 0.2)])], (), ["why"])
    )

    assert document["signals"][0]["plans"][0]["medianHorizons"] is None
    assert document["notSimulated"] == ["why"]


SENTENCE = "corpus_ppl/a not regressing"


def of_gate(*shares: float) -> SentencePower:
    powers = [
        GatePower(Design.even(8.0, 2.0, {"document": 8 * 2**i}), share)
        for i, share in enumerate(shares)
    ]
    return SentencePower(SENTENCE, "corpus_ppl/a", "Yes", NOISE, powers)


def test_a_sentence_of_the_gate_has_a_table_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    show_gate_power([of_gate(0.5, 0.9)], ["recovery > 1: why"])

    lines = capsys.readouterr().out.splitlines()
    title, head, own, other = lines[:4]
    assert title.startswith(f"Gate, {SENTENCE}: share of plateaus of corpus_ppl/a")
    assert "answers Yes" in title
    assert head.split() == ["checkpoints", "documents", "answered", "so"]
    assert [own.split(), other.split()] == [["16", "8", "50%"], ["16", "16", "90%"]]
    assert lines[-1] == "Not simulated: recovery > 1: why."


@pytest.mark.parametrize(
    ("shares", "advice"),
    [
        ((0.85, 0.9), "The plan suffices: it answers so for 85% of plateaus."),
        ((0.5, 0.9), "Sufficient with the fewest samples: 16 checkpoints, 16 documents (90%)."),
        ((0.5, 0.7), "none of the others suffices: ask for less"),
    ],
)
def test_the_advice_about_a_gate_is_json_too(shares: tuple[float, ...], advice: str) -> None:
    (printed,) = json.loads(power_json([], [of_gate(*shares)]))["gate"]

    assert advice in printed["advice"]
    assert (printed["sentence"], printed["answer"]) == (SENTENCE, "Yes")
    assert [plan["share"] for plan in printed["plans"]] == list(shares)
