"""The cost of a training."""

from dataclasses import replace

from lccp.cost.architecture import Architecture
from lccp.cost.estimate import Estimate
from lccp.cost.memory import TrainingSettings

LLAMA = {
    "model_type": "llama",
    "vocab_size": 1_000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
TRAINING = TrainingSettings(tokens=10**6, context_length=512)


def test_flops_are_those_of_all_tokens() -> None:
    found = Estimate.of(LLAMA, TRAINING)
    size = Architecture.from_config(LLAMA).parameters
    assert found.training_flops == found.flops_per_token * 10**6
    assert (found.parameters, found.active_parameters) == (size, size)


def test_flops_are_those_of_branches_too() -> None:
    branched = replace(TRAINING, branch_tokens=10**6)
    alone = Estimate.of(LLAMA, TRAINING).training_flops
    assert Estimate.of(LLAMA, branched).training_flops == 2 * alone


def test_the_cache_holds_keys_and_values_of_all_layers() -> None:
    assert Estimate.of(LLAMA, TRAINING).key_value_bytes == 2 * 2 * (2 * 16) * 512 * 2
