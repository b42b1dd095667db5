"""Expert parallelism by DeepSpeed's AutoEP: how it finds the experts of each model family.

AutoEP replaces every block of experts with its own layer: three stacks of the process's own
experts (`w1` gate, `w2` down, `w3` up, each [experts, …]) beside `router` and `shared_experts`.
This module has its settings for each family, and converts back to Hugging Face's names and layout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

LAYERS = r"model\.model\.layers\.\d+\.mlp"
STACKS = ("w1", "w2", "w3")


@dataclass(frozen=True)
class Family:
    """The structure of a family's blocks of experts, in transformers' terms."""

    experts: str = "num_experts"
    """Field of the configuration: routed experts of a layer."""
    chosen: str = "num_experts_per_tok"
    """Field of the configuration: experts that a token passes."""
    router_weight: str = "gate.weight"
    shared: str | None = None
    """Module of the experts that every token passes."""
    scores: Literal["softmax", "sigmoid"] = "softmax"
    always_normalized: bool = True
    """Whether the chosen experts' scores always add up to 1; otherwise `norm_topk_prob` decides."""


FAMILIES = {
    "hunyuan_v1_moe": Family(
        chosen="moe_topk", router_weight="gate.wg.weight", shared="shared_mlp"
    ),
    "qwen3_moe": Family(always_normalized=False),
    "mixtral": Family(experts="num_local_experts"),
    "deepseek_v3": Family(
        experts="n_routed_experts",
        shared="shared_experts",
        scores="sigmoid",
        always_normalized=False,
    ),
}


def autoep_settings(config: Any, size: int) -> dict[str, Any]:
    """The section `expert_parallel` of DeepSpeed's configuration, for `size` processes."""
    family = FAMILIES[config.model_type]
    normalized = family.always_normalized or bool(config.norm_topk_prob)
    return {
        "enabled": True,
        "autoep_size": size,
        "moe_layer_pattern": LAYERS,
        "router_pattern": "gate",
        "expert_pattern": "experts",
        "top_k": of_layers(getattr(config, family.chosen)),
        "score_func": family.scores,
        "route_norm": normalized,
        "routed_scaling_factor": getattr(config, "routed_scaling_factor", 1.0),
        "num_expert_groups": getattr(config, "n_group", None),
        "num_limited_groups": getattr(config, "topk_group", None),
        "has_shared_experts": family.shared is not None,
        "shared_experts_pattern": family.shared,
    }


def prepare(model: Any) -> None:
    """Make the router's weight available where AutoEP looks for it: `gate.weight`."""
    if FAMILIES[model.config.model_type].router_weight == "gate.wg.weight":
        for module in model.modules():
            if hasattr(module, "wg"):
                type(module).weight = property(lambda gate: gate.wg.weight)
                return


def blocks(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """The layers that AutoEP inserted, with their names."""
    for name, part in module.named_modules():
        if getattr(part, "_is_autoep_layer", False):
            yield name, part


def hugging_face_name(name: str, block: str, model_type: str) -> str:
    """Hugging Face's name for the parameter `name` of AutoEP's layer `block`; not for stacks."""
    family, within = FAMILIES[model_type], name.removeprefix(f"{block}.")
    if within == "router.gate.weight":
        return f"{block}.{family.router_weight}"
    if within.startswith("router."):
        return f"{block}.gate.{within.removeprefix('router.')}"
    return f"{block}.{family.shared}.{within.removeprefix('shared_experts.')}"


def fused(stacks: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """All experts of a layer in Hugging Face's layout, from their stacks [experts, …]."""
    return {
        "experts.gate_up_proj": torch.cat([stacks["w1"], stacks["w3"]], dim=1),
        "experts.down_proj": stacks["w2"],
    }


def of_layers(value: int | list[int]) -> int:
    """A number that may be given per layer; it is the same in all layers."""
    return value[0] if isinstance(value, list) else value
