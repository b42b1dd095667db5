"""Low-rank adapters by PEFT: put into a model, and added to the weights of a checkpoint."""

from collections.abc import Iterator
from typing import Any

import torch

from lccp.api.spec.sft import LoRASpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model.config import first_line

ADAPTER = "default"
BASE = ".base_layer."


def with_adapters(model: Any, lora: LoRASpec) -> Any:
    """`model`, of which only adapters are trained. Raises InvalidInput if no layer gets one."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules),
    )
    model.requires_grad_(False)
    try:
        adapted: Any = inject_adapter_in_model(config, model)
    except ValueError as error:
        raise InvalidInput(f"sft.lora.targetModules: {first_line(error)}") from None
    if hasattr(adapted.get_output_embeddings(), "lora_A"):
        raise InvalidInput("sft.lora.targetModules: the language-model head can't have an adapter")
    return adapted


def merged(model: Any, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`weights` with the adapters added, by the names that the model has without them.

    A layer of weight W with adapters A and B has the weight W + B A alpha / rank, summed in
    float32.
    """
    found = {name: w for name, w in weights.items() if ".lora_" not in name}
    for layer, scale in _adapted(model):
        a, b = (weights[f"{layer}.lora_{part}.{ADAPTER}.weight"].float() for part in "AB")
        name = f"{layer}{BASE}weight"
        found[name] = (weights[name].float() + scale * (b @ a)).to(weights[name].dtype)
    return {name.replace(BASE, "."): weight for name, weight in found.items()}


def _adapted(model: Any) -> Iterator[tuple[str, float]]:
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            yield name, module.scaling[ADAPTER]
