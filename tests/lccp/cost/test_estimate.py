"""What a training costs."""

from dataclasses import replace

import pytest

from lccp.cost.architecture import Architecture
from lccp.cost.estimate import Estimate, Memory, Training

LLAMA = {
    "model_type": "llama",
    "vocab_size": 1_000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
MODEL = Architecture.from_config(LLAMA)
TRAINING = Training(tokens=10**6, context_length=512, processes=4)
N = MODEL.parameters


def test_flops_are_those_of_all_tokens() -> None:
    found = Estimate.of(LLAMA, TRAINING)
    assert found.training_flops == found.flops_per_token * 10**6
    assert (found.parameters, found.active_parameters) == (N, N)


def test_the_cache_holds_keys_and_values_of_all_layers() -> None:
    assert Estimate.of(LLAMA, TRAINING).key_value_bytes == 2 * 2 * (2 * 16) * 512 * 2


@pytest.mark.parametrize(
    ("stage", "precision", "weights", "gradients", "optimizer"),
    [
        (0, "FP32", 4, 4, 8),
        (1, "FP32", 4, 4, 3),
        (1, "BF16", 2, 4, 3),
        (2, "BF16", 2, 1, 3),
        (3, "BF16", 0.5, 1, 3),
    ],
)
def test_a_zero_stage_partitions_what_it_says(
    stage: int, precision: str, weights: float, gradients: float, optimizer: float
) -> None:
    memory = Memory.of(MODEL, replace(TRAINING, zero_stage=stage, precision=precision))
    held = (memory.weights, memory.gradients, memory.optimizer)
    assert held == pytest.approx((weights * N, gradients * N, optimizer * N), abs=1)


def test_an_offloaded_optimizer_leaves_the_device() -> None:
    kept = Memory.of(MODEL, TRAINING)
    moved = Memory.of(MODEL, replace(TRAINING, offload_optimizer=True))
    assert kept.device - moved.device == kept.optimizer > 0


def test_activations_grow_with_the_tokens_of_a_micro_batch_and_shrink_when_recomputed() -> None:
    def activations(**changes: object) -> int:
        return Memory.of(MODEL, replace(TRAINING, **changes)).activations

    assert activations(micro_batch_size=3) == 3 * activations()
    assert activations(context_length=1_024) == 2 * activations()
    assert activations(activation_checkpointing=True) < activations()
