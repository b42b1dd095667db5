import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Lccp = Callable[..., Result]
TRAINING = {"tokens": "4M", "globalBatchTokens": 4_096, "learningRate": "1.5e-4"}


@pytest.mark.slow
def test_plan_says_what_would_see_a_plateau(lccp: Lccp, manifest: Callable[..., Path]) -> None:
    result = lccp("plan", manifest(training=TRAINING), "--jitter", "0.2")
    first, _, head, own, *_, advice = result.output.splitlines()
    assert result.exit_code == 0
    assert first.startswith("Assumed: checkpoints jitter by 0.2 minGain")
    assert head.split()[:3] == ["checkpoints", "haystacks", "needles"]
    assert int(own.split()[0]) > 0
    assert "plateaus within four horizons" in advice


@pytest.mark.slow
def test_plans_as_json_hold_the_numbers_of_the_table(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    path = manifest(training=TRAINING)
    printed = json.loads(lccp("plan", path, "--jitter", "0.2", "--json").stdout)
    table = lccp("plan", path, "--jitter", "0.2").output.splitlines()
    assert printed["jitter"] == 0.2
    assert len(printed["plans"]) == len(table) - 4
    own = printed["plans"][0]
    shown = (own["checkpoints"], own["haystacks"], own["needles"], f"{own['within']:.0%}")
    assert table[3].split()[:4] == [str(value) for value in shown]
    assert printed["advice"] == table[-1]


def test_what_hinders_a_plan_is_json_too(lccp: Lccp, manifest: Callable[..., Path]) -> None:
    result = lccp("plan", manifest(training=TRAINING, saturation={"patience": 16}), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["obstacle"].startswith("a saturation needs 5 checkpoints")


def test_plan_simulates_no_signal_without_haystacks_and_needles(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    probes = {"bio": {"enabled": True}}
    asked = {"evaluation": {"probes": probes}, "saturation": {"signals": [{"name": "bio_score"}]}}
    result = lccp("plan", manifest(training=TRAINING, **asked))
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: bio_score: has no haystacks and needles")


def test_plan_refuses_a_layout_that_the_trainer_would(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("plan", manifest(training=TRAINING, topology={"nodes": 3}))
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: training.globalBatchTokens: 4096 is not a multiple of")


def test_plan_refuses_one_that_can_never_be_saturated(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("plan", manifest(training=TRAINING, saturation={"patience": 16}))
    assert result.exit_code == 1
    assert result.output.startswith("Never Saturated: a saturation needs 5 checkpoints")
    assert "saturation.horizonTokens of at most" in result.output
