from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Lccp = Callable[..., Result]
TRAINING = {"tokens": "4M", "globalBatchTokens": 4_096, "learningRate": "1.5e-4"}


def test_plan_says_what_would_see_a_plateau(lccp: Lccp, manifest: Callable[..., Path]) -> None:
    result = lccp("plan", manifest(training=TRAINING), "--jitter", "0.2")
    first, _, head, own, *_, advice = result.output.splitlines()
    assert result.exit_code == 0
    assert first.startswith("A guess: checkpoints jitter by 0.2 minGain")
    assert head.split()[:3] == ["checkpoints", "haystacks", "needles"]
    assert int(own.split()[0]) > 0
    assert "plateaus within four horizons" in advice


def test_plan_simulates_no_signal_without_haystacks_and_needles(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    probes = {"bio": {"enabled": True}}
    asked = {"evaluation": {"probes": probes}, "saturation": {"signals": [{"name": "bio_score"}]}}
    result = lccp("plan", manifest(training=TRAINING, **asked))
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: bio_score: has no haystacks and needles")


def test_plan_refuses_one_that_can_never_be_saturated(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("plan", manifest(training=TRAINING, saturation={"patience": 16}))
    assert result.exit_code == 1
    assert result.output.startswith("Never Saturated: a saturation needs 5 checkpoints")
    assert "saturation.horizonTokens of at most" in result.output
