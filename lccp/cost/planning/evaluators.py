"""What an evaluator holds in the memory of its fullest device, and in how many shards it fits.

The count is the one that the evaluator makes before it measures, on a GPU: in bfloat16.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lccp.api.run import LCCPRun
from lccp.cost.architecture import Architecture
from lccp.cost.planning.devices import DeviceCluster
from lccp.cost.shards import ALIGNED_BYTES, divisors, placed, uneven

ELEMENT_BYTES = 2
STEP_TOKENS = 8_192
HEAD_ROWS = 1_024
"""Rows whose logits exist at a time."""
FLOAT_ROWS = 256
"""Rows of logits that an evaluator holds in float32 at a time."""
FLOAT_BYTES = 4
PROCESSES_MAX = 64


def pass_bytes(
    vocabulary: int, hidden: int, widest: int, tokens: int, value_bytes: int, head_rows: int
) -> int:
    """Bytes of logits and activations of one pass of `tokens` tokens.

    `widest` is the largest output width of a matrix; logits exist at up to `head_rows` tokens.
    """
    rows = min(head_rows, tokens)
    logits = rows * value_bytes + min(rows, FLOAT_ROWS) * FLOAT_BYTES
    activations = tokens * (8 * hidden + min(widest, 8 * hidden))
    return logits * vocabulary + activations * value_bytes


@dataclass(frozen=True)
class EvaluatorMemory:
    """Bytes of the device that holds most.

    If experts are split, that is the leading process's: it holds all but the other shards' parts
    of them. Otherwise it is the one with the largest of the parts into which layers are placed.
    """

    weights: int
    cache: int
    """Keys and values of the longest prompt."""
    passes: int
    """Logits, and the activations of one pass."""

    @classmethod
    def of(
        cls, model: Architecture, tokens: int, shards: int, value_bytes: int = ELEMENT_BYTES
    ) -> Self:
        """For prompts of up to `tokens` tokens, with experts or layers in `shards` shards."""
        routed, layers = model.routed_parameters, model.layers
        if routed:
            elements = model.parameters - routed + routed // shards
        else:
            elements, layers = _fullest(model, shards)
        step, hidden = min(STEP_TOKENS, tokens), model.hidden_size
        widest = 8 * hidden  # at most, as far as it counts
        return cls(
            weights=elements * value_bytes,
            cache=tokens * layers * model.attention.cached * value_bytes,
            passes=pass_bytes(model.vocabulary_size, hidden, widest, step, value_bytes, HEAD_ROWS),
        )

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.passes


def _fullest(model: Architecture, devices: int) -> tuple[int, int]:
    """Most parameters, and most layers, on one of `devices` that share the layers."""
    elements, layers = [0] * devices, [0] * devices
    for number, device in enumerate(placed(model.parts, devices)):
        elements[device] += model.parts[number]
        layers[device] += 1 <= number <= model.layers
    return max(elements), max(layers)


def shards_that_fit(
    model: Architecture,
    tokens: int,
    usable_bytes: int,
    value_bytes: int = ELEMENT_BYTES,
    among: Iterable[int] = range(1, PROCESSES_MAX + 1),
) -> int | None:
    """The first number of shards `among` these with which a device's `usable_bytes` suffice.

    None if none does.
    """
    for shards in among:
        held = EvaluatorMemory.of(model, tokens, shards, value_bytes).total
        if held <= usable_bytes and _can_be_cut(model, shards, ALIGNED_BYTES // value_bytes):
            return shards
    return None


def _can_be_cut(model: Architecture, shards: int, unit: int) -> bool:
    widths = {layer.expert_size for layer in model.feed_forward if layer.experts}
    if not widths:
        return shards <= model.layers
    return shards == 1 or not any(uneven(width, shards, unit) for width in widths)


def shards_of(
    run: LCCPRun, model: Architecture, usable_bytes: int, value_bytes: int = ELEMENT_BYTES
) -> int:
    """The shards of the run's evaluators: as the manifest says, or else as they choose."""
    tokens, asked = run.spec.model.target_context_length, run.spec.evaluation
    if asked.shards > 1:
        return asked.shards
    possible = divisors(asked.processes)
    return shards_that_fit(model, tokens, usable_bytes, value_bytes, possible) or 1


@dataclass(frozen=True)
class EvaluatorPlan:
    """What the manifest's evaluators hold on such a device, and what would fit."""

    memory: EvaluatorMemory
    tokens: int
    """Of the longest prompt."""
    shards: int
    """As the manifest says, or else as its evaluators choose."""
    usable_bytes: int
    fitting: int | None
    """The fewest shards that fit; None if none do."""

    @classmethod
    def of(cls, run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster) -> Self:
        """Raises InvalidInput if the model type of `config` (its config.json) can't be counted."""
        model, usable = Architecture.from_config(config), cluster.device.usable_bytes
        tokens, shards = run.spec.model.target_context_length, shards_of(run, model, usable)
        memory = EvaluatorMemory.of(model, tokens, shards)
        return cls(memory, tokens, shards, usable, shards_that_fit(model, tokens, usable))
