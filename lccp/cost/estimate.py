"""What a training costs, estimated before it starts: FLOPs, and memory of one process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from lccp.api.run import LCCPRun
from lccp.cost.architecture import Architecture
from lccp.cost.flops import flops_per_token

WEIGHT_BYTES = {"BF16": 2, "FP32": 4}
GRADIENT_BYTES = 4
"""Gradients are accumulated in FP32."""
MOMENTS_BYTES, MASTER_BYTES = 8, 4
"""AdamW's two moments; the FP32 copy of the weights that every ZeRO stage but 0 keeps."""
LOGIT_BYTES = 4


@dataclass(frozen=True)
class Training:
    """The part of a training that its cost depends on."""

    tokens: int
    context_length: int
    processes: int = 1
    zero_stage: int = 1
    offload_optimizer: bool = False
    micro_batch_size: int = 1
    precision: Literal["BF16", "FP32"] = "BF16"
    activation_checkpointing: bool = False

    @classmethod
    def of(cls, run: LCCPRun) -> Self:
        """The training that `run` asks for, at its target context."""
        training, topology = run.spec.training, run.spec.topology
        return cls(
            tokens=training.tokens,
            context_length=run.spec.model.target_context_length,
            processes=topology.nodes * topology.processes_per_node,
            zero_stage=training.deepspeed.zero_stage,
            offload_optimizer=training.deepspeed.offload_optimizer == "CPU",
            micro_batch_size=training.micro_batch_size,
            precision=training.precision,
            activation_checkpointing=training.activation_checkpointing,
        )


@dataclass(frozen=True)
class Memory:
    """Bytes that one process holds, by what they are for; buffers and fragmentation come on top."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    optimizer_on_host: bool

    @classmethod
    def of(cls, model: Architecture, training: Training) -> Self:
        """By ZeRO stage (Rajbhandari et al., arXiv 1910.02054, section 5)."""
        stage, n = training.zero_stage, model.parameters
        optimizer = MOMENTS_BYTES + (MASTER_BYTES if stage or training.precision == "BF16" else 0)

        def held(size: int, partitioned_from: int) -> int:
            return -(-n * size // (training.processes if stage >= partitioned_from else 1))

        return cls(
            weights=held(WEIGHT_BYTES[training.precision], 3),
            gradients=held(GRADIENT_BYTES, 2),
            optimizer=held(optimizer, 1),
            activations=activation_bytes(model, training),
            optimizer_on_host=training.offload_optimizer,
        )

    @property
    def device(self) -> int:
        """Bytes on the accelerator (or on a CPU that trains)."""
        kept = 0 if self.optimizer_on_host else self.optimizer
        return self.weights + self.gradients + kept + self.activations


@dataclass(frozen=True)
class Estimate:
    """What a training costs."""

    parameters: int
    active_parameters: int
    """Parameters that one token passes."""
    flops_per_token: float
    """Forward and backward pass, attention at the target context included."""
    training_flops: float
    """Over all tokens, as if every sequence were as long as the target context."""
    key_value_bytes: int
    """Key-value cache of one sequence of the target length."""
    memory: Memory

    @classmethod
    def of(cls, config: Mapping[str, Any], training: Training) -> Self:
        """The cost of `training` for the model of `config` (a parsed config.json).

        Raises:
            InvalidInput: the model type is not known here, or a field is missing.
        """
        model = Architecture.from_config(config)
        flops = flops_per_token(model, training.context_length)
        size = WEIGHT_BYTES[training.precision]
        cached = model.layers * model.attention.cached * training.context_length
        return cls(
            parameters=model.parameters,
            active_parameters=model.active_parameters,
            flops_per_token=flops,
            training_flops=flops * training.tokens,
            key_value_bytes=cached * size,
            memory=Memory.of(model, training),
        )


def activation_bytes(model: Architecture, training: Training) -> int:
    """Tensors of one micro batch that the backward pass needs, logits included.

    Counted as Korthikanti et al., arXiv 2205.05198, section 4.1, for attention that stores no
    L x L and gated feed-forward layers; with activation checkpointing, each layer's input and the
    tensors of the largest layer.
    """
    size = WEIGHT_BYTES[training.precision]
    tokens = training.micro_batch_size * training.context_length
    layers = [_layer_activations(model, layer.width) for layer in model.feed_forward]
    kept = sum(layers)
    if training.activation_checkpointing:
        kept = model.layers * model.hidden_size + max(layers)
    logits = model.vocabulary_size * (size + LOGIT_BYTES)
    return tokens * (kept * size + logits)


def _layer_activations(model: Architecture, feed_forward_width: int) -> int:
    """Elements kept of one token: inputs of both norms and of what follows, q, k, v, the heads'
    output, and four of the feed-forward layer (gate, up, activated gate, product)."""
    heads = model.attention
    attention = 2 * model.hidden_size + int(2 * heads.width) + heads.cached + heads.latent_size
    return attention + 2 * model.hidden_size + 4 * feed_forward_width
