"""Which weights of a model are split if its experts are in several processes: only theirs.

Each process holds a part of the width of every expert, by transformers' own plan of its tensor
parallelism. Everything else of that plan is turned off: attention, embeddings and head stay whole.
"""

import re
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel
from transformers.distributed.configuration_utils import DistributedConfig

from lccp.contract.errors import InvalidInput
from lccp.cost.shards import ALIGNED_BYTES, uneven
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.model.experts import expert_layers

WHOLE = "replicate"
"""transformers' name for what is not split."""


def splitting(model: PreTrainedModel, plan: ExecutionPlan, where: Path) -> DistributedConfig | None:
    """How transformers is to load `model`, the one in `where`, in the plan's shards.

    None: it has no experts, or transformers can't split them.

    Raises:
        InvalidInput: they don't split evenly.
    """
    shards, unit = plan.shards, ALIGNED_BYTES // plan.torch_dtype.itemsize
    patterns = _patterns(model)
    rules = {rule: _style(rule, style, patterns) for rule, style in model.tp_plan.items()}
    if not patterns or not patterns <= rules.keys():
        return None
    for width in {int(down.shape[-1]) for down in _down(model)}:
        if wrong := uneven(width, shards, unit):
            raise InvalidInput(
                f"{where}: a model of type {model.config.model_type!r} can't be split: "
                f"evaluation.shards (--shards): {wrong}"
            )
    return DistributedConfig(tp_size=shards, tp_plan=rules)


def _down(model: PreTrainedModel) -> list[Any]:
    """The last weights of all experts, layer by layer; their last dimension is the width."""
    return [layer.down_proj for layer in expert_layers(model)]


def _patterns(model: PreTrainedModel) -> set[str]:
    """Names of the modules that compute experts, with a star for the number of the layer."""
    found = {id(layer) for layer in expert_layers(model)}
    named = (name for name, module in model.named_modules() if id(module) in found)
    return {re.sub(r"\.\d+(?=\.)", ".*", name) for name in named}


def _style(rule: str, style: str, patterns: set[str]) -> str:
    kept = rule in patterns or rule.rpartition(".")[0] in patterns
    return style if kept else WHOLE
