"""Checkpoints and signals of head ablation."""

import pytest

from lccp.probes.heads.head_ablation import HeadAblationSettings, at, signals


@pytest.mark.parametrize(
    ("checkpoints", "tokens", "masked"),
    [((), 7, True), ((5, 9), 9, True), ((5, 9), 7, False), ((5, 9), 0, True)],
)
def test_heads_are_masked_at_the_named_checkpoints_and_before_training(
    checkpoints: tuple[int, ...], tokens: int, masked: bool
) -> None:
    assert at(HeadAblationSettings(checkpoints=checkpoints), tokens) is masked


def test_a_loss_has_its_random_twin_and_the_difference() -> None:
    names = [signal.name for signal in signals(HeadAblationSettings())]

    assert names == ["ablation_loss", "ablation_random_loss", "ablation_excess"]
