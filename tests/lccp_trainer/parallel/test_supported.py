from typing import Any

import pytest
import torch
from tiny_models import SIZES
from transformers import AutoConfig, AutoModelForCausalLM

from lccp.contract.errors import InvalidInput
from lccp_trainer.parallel.supported import check_model, not_plain

LENGTH = 64


def a_model(model_type: str, **settings: Any) -> Any:
    config = AutoConfig.for_model(model_type, **SIZES | settings)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("model_type", ["llama", "hunyuan_v1_moe", "gpt_neox"])
def test_models_that_leave_their_attention_to_others_are_trained(model_type: str) -> None:
    check_model(a_model(model_type))


@pytest.mark.parametrize("model_type", ["bloom", "openai-gpt", "gpt_neox_japanese", "stablelm"])
def test_models_with_an_attention_of_their_own_are_refused(model_type: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^model\.source: .* in a {model_type} model, whose"):
        check_model(a_model(model_type))


def test_a_model_whose_body_is_not_apart_from_its_head_is_refused() -> None:
    """It could not give hidden states: transformers takes the whole of it for its base."""
    with pytest.raises(InvalidInput, match="can't be kept apart in a llama4_text model"):
        check_model(a_model("llama4_text"))


def test_a_model_that_counts_positions_itself_is_refused() -> None:
    """Its later documents would begin where the ones before them end."""
    small = {"decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 16}
    with pytest.raises(InvalidInput, match="can't be kept apart in a bart model"):
        check_model(a_model("bart", is_decoder=True, **small))


@pytest.mark.parametrize(
    ("model_type", "told"),
    [
        ("bert", "the head of a bert model is not one linear layer"),
        ("nanochat", "final_logit_softcapping of a nanochat model is not supported"),
    ],
)
def test_a_model_whose_head_is_another_is_refused(model_type: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        check_model(a_model(model_type, is_decoder=True))


class Encoding(torch.nn.Module):
    is_causal = False


@pytest.mark.parametrize(
    ("module", "asked", "told"),
    [
        (torch.nn.Module(), {}, None),
        (torch.nn.Module(), {"sliding_window": None, "s_aux": None, "is_causal": None}, None),
        (torch.nn.Module(), {"sliding_window": LENGTH, "is_causal": True}, None),
        (torch.nn.Module(), {"sliding_window": LENGTH - 1}, "a window of 63 tokens"),
        (torch.nn.Module(), {"is_causal": False}, "a view of later tokens"),
        (Encoding(), {}, "a view of later tokens"),
        (Encoding(), {"is_causal": True}, None),
        (torch.nn.Module(), {"softcap": 30.0}, "softcap"),
        (torch.nn.Module(), {"s_aux": torch.zeros(4)}, "s_aux"),
    ],
)
def test_what_is_asked_for_beyond_causal_attention_is_named(
    module: torch.nn.Module, asked: dict[str, Any], told: str | None
) -> None:
    assert not_plain(module, LENGTH, asked) == told
