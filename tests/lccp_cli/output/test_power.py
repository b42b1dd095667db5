import json
from math import inf

import pytest

from lccp.analysis.power import Design, Noise, Power, SignalPower
from lccp_cli.output.power import power_json, show_power

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
    document = json.loads(power_json([SignalPower("corpus_ppl", NOISE, [power(8, 0.2)])], ["why"]))

    assert document["signals"][0]["plans"][0]["medianHorizons"] is None
    assert document["notSimulated"] == ["why"]
