"""What a training costs, estimated before it starts: FLOPs, and memory of one process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lccp.cost.architecture import Architecture
from lccp.cost.flops import flops_per_token
from lccp.cost.memory import Memory, TrainingSettings


@dataclass(frozen=True)
class Estimate:
    """What a training costs."""

    parameters: int
    active_parameters: int
    """Parameters used by one token."""
    flops_per_token: float
    """Forward and backward pass, attention at the target context included."""
    training_flops: float
    """Over all tokens, branches included, as if every sequence had the target context's length."""
    key_value_bytes: int
    """Key-value cache of one sequence of the target length."""
    memory: Memory

    @classmethod
    def of(cls, config: Mapping[str, Any], training: TrainingSettings) -> Self:
        """The cost of `training` for the model of `config` (a parsed config.json).

        Raises:
            InvalidInput: the model type is unknown, or a field is missing.
        """
        model = Architecture.from_config(config)
        flops = flops_per_token(model, training.context_length)
        cached = model.layers * model.attention.cached * training.context_length
        return cls(
            parameters=model.parameters,
            active_parameters=model.active_parameters,
            flops_per_token=flops,
            training_flops=flops * training.all_tokens,
            key_value_bytes=cached * training.element_bytes,
            memory=Memory.of(model, training),
        )
