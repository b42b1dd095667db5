import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from lccp.api.spec.sft import LoRASpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model.adapters import merged, with_adapters

LORA = LoRASpec(rank=4, alpha="6", target_modules=("q_proj", "o_proj"))


def a_model() -> AutoModelForCausalLM:
    sizes = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 16, "head_dim": 4}
    heads = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model("qwen3", **sizes, **heads))


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    """The model, with adapters that do something."""
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    return model


def test_adapters_alone_are_trained() -> None:
    model = with_adapters(a_model(), LORA)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 2 * 2
    assert all(".lora_" in name for name in trained)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_a_checkpoint_has_the_models_own_names_and_the_adapters_in_its_weights() -> None:
    model = randomized(with_adapters(a_model(), LORA))
    config = LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "o_proj"])
    by_peft = randomized(get_peft_model(a_model(), config)).merge_and_unload().state_dict()
    found = merged(model, model.state_dict())
    assert set(found) == set(by_peft)
    for name, weight in by_peft.items():
        assert torch.allclose(found[name], weight, atol=1e-6), name


def test_a_model_without_adapters_stays_as_it_is() -> None:
    model = a_model()
    weights = model.state_dict()
    assert merged(model, weights) == weights


@pytest.mark.parametrize("module", ["no_such_layer", "lm_head"])
def test_layers_that_can_not_have_adapters_are_refused(module: str) -> None:
    with pytest.raises(InvalidInput, match=r"^sft.lora.targetModules: "):
        with_adapters(a_model(), LoRASpec(target_modules=(module,)))
