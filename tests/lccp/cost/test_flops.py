import pytest

from lccp.cost.architecture import Architecture
from lccp.cost.flops import flops_per_token, utilisation

MODEL = Architecture.from_config(
    {
        "model_type": "llama",
        "vocab_size": 1_000,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
)


def test_attention_costs_more_with_the_context() -> None:
    short, long = flops_per_token(MODEL, 1), flops_per_token(MODEL, 1_001)
    assert short == 6 * (MODEL.active_parameters + 2 * 64)
    assert long - short == 6 * 2 * 64 * 1_000


def test_a_token_costs_the_experts_that_it_passes_and_no_others() -> None:
    sizes = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
    sizes |= {"model_type": "qwen3_moe", "vocab_size": 1_000, "intermediate_size": 128}
    sizes |= {"moe_intermediate_size": 32}
    of_each, more = (
        Architecture.from_config(sizes | {"num_experts": experts, "num_experts_per_tok": chosen})
        for experts, chosen in ((16, 1), (16, 3))
    )
    assert flops_per_token(more, 1) - flops_per_token(of_each, 1) == 6 * 2 * 2 * (3 * 64 * 32)
    assert flops_per_token(more, 1) < 6 * more.parameters


def test_utilisation_is_the_share_of_the_device_s_peak() -> None:
    assert utilisation(98.9e12, "NVIDIA H100 80GB HBM3") == pytest.approx(0.1)


@pytest.mark.parametrize("device", [None, "a device of tomorrow"])
def test_without_a_known_peak_there_is_no_utilisation(device: str | None) -> None:
    assert utilisation(1e12, device) is None
