"""Memory that one process of a training holds at its peak, by purpose.

Two moments decide: the beginning of a backward pass, when everything that it needs is kept, and the
step of the optimizer, when gradients are flattened for it. What each holds was found in
DeepSpeed 0.19's ZeRO optimizers; `benchmarks/memory.py` compares it with real processes.
"""

from dataclasses import dataclass
from typing import Literal, Self

from lccp.api.run import LCCPRun
from lccp.cost.architecture import Architecture, FeedForward
from lccp.cost.fields import zero_number
from lccp.cost.layout import Layout

CHUNK_LOGITS = 2**25
"""Logits that exist at once in the head and the loss; the trainer uses this value."""
TILE_ELEMENTS = 2**28
"""Inner elements of a feed-forward block (tokens x inner size, of routed experts x those chosen)
that exist at once where activations are computed again; the trainer uses this value."""
BUCKET_ELEMENTS = 500_000_000
"""Gradients that DeepSpeed reduces at once by default; a device holds the buffer, full or not."""
LIVE_ELEMENTS = SUB_GROUP_ELEMENTS = 1_000_000_000
"""Parameters that ZeRO-3 keeps gathered, and that its optimizer updates at once, by default."""
WEIGHT_BYTES = {"BF16": 2, "FP32": 4}
FP32_BYTES = 4
"""Of accumulated gradients, of the optimizer's copy of the weights, of each moment."""

ONE_PROCESS = Layout(1)


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of a training that its cost depends on."""

    tokens: int
    """Of the run itself, without branches."""
    context_length: int
    layout: Layout = ONE_PROCESS
    zero_stage: int = 1
    offload_optimizer: bool = False
    micro_batch_size: int = 1
    accumulation_steps: int = 1
    precision: Literal["BF16", "FP32"] = "BF16"
    activation_checkpointing: bool = False
    branch_tokens: int = 0
    """Of all its branches, in addition."""
    bucket_elements: int = BUCKET_ELEMENTS
    overlapping: bool = False
    """Whether a bucket fills while another one is reduced."""
    live_elements: int = LIVE_ELEMENTS
    sub_group_elements: int = SUB_GROUP_ELEMENTS

    @classmethod
    def of(cls, run: LCCPRun) -> Self:
        """The training that `run` specifies, at its target context."""
        training, layout = run.spec.trained, Layout.of(run.spec)
        context = run.spec.model.target_context_length
        micro_batch = context * layout.data_size * training.micro_batch_size
        return cls(
            tokens=training.tokens,
            context_length=context,
            layout=layout,
            zero_stage=training.deepspeed.zero_stage,
            offload_optimizer=training.deepspeed.offload_optimizer == "CPU",
            micro_batch_size=training.micro_batch_size,
            accumulation_steps=max(1, training.global_batch_tokens // micro_batch),
            precision=training.precision,
            activation_checkpointing=training.activation_checkpointing,
            branch_tokens=run.spec.branch_tokens,
            bucket_elements=zero_number(training, "reduce_bucket_size", BUCKET_ELEMENTS),
            overlapping=zero_number(training, "overlap_comm", 0) > 0,
            live_elements=zero_number(training, "stage3_max_live_parameters", LIVE_ELEMENTS),
            sub_group_elements=zero_number(training, "sub_group_size", SUB_GROUP_ELEMENTS),
        )

    @property
    def all_tokens(self) -> int:
        """Of the run and of its branches."""
        return self.tokens + self.branch_tokens

    @property
    def element_bytes(self) -> int:
        """Of a weight, and of most of what the backward pass needs."""
        return WEIGHT_BYTES[self.precision]

    @property
    def own_tokens(self) -> int:
        """Tokens of a micro batch that one process computes."""
        return self.micro_batch_size * self.context_length // self.layout.sequence_size


@dataclass(frozen=True)
class Memory:
    """Bytes that one process holds at its peak, without fragmentation."""

    weights: int
    gradients: int
    optimizer: int
    """Moments and the FP32 weights, with the host's staging buffers if they are on the host."""
    activations: int
    """Tensors that the backward pass needs, with the head's gradients and a chunk of logits."""
    buffers: int
    """Gathered weights, buckets of gradients, and what the optimizer's step flattens."""
    optimizer_on_host: bool

    @classmethod
    def of(cls, model: Architecture, training: TrainingSettings) -> Self:
        """By ZeRO stage (Rajbhandari et al., arXiv 1910.02054, section 5)."""
        held = _Held(model, training)
        backward = (held.standing, held.activations, held.exchanged)
        step = (held.gradients, 0, held.working)
        gradients, activations, buffers = max(backward, step, key=sum)
        return cls(
            weights=held.weights,
            gradients=gradients,
            optimizer=held.optimizer,
            activations=activations,
            buffers=buffers,
            optimizer_on_host=training.offload_optimizer,
        )

    @property
    def total(self) -> int:
        """Bytes on the accelerator and on the host."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.buffers

    @property
    def device(self) -> int:
        """Bytes on the accelerator."""
        return self.total - (self.optimizer if self.optimizer_on_host else 0)


class _Held:
    """Bytes of everything that may be held."""

    def __init__(self, model: Architecture, training: TrainingSettings) -> None:
        layout, self._training = training.layout, training
        self._stage, size = training.zero_stage, training.element_bytes
        self._part = -(-model.parameters // layout.processes)
        spread = model.routed_parameters // layout.expert_size
        self._own = model.parameters - model.routed_parameters + spread
        whole_experts = layout.expert_size == layout.processes
        self._partitioned = self._own - (spread if whole_experts else 0)
        blocks = (b.routed_parameters(model.hidden_size, b.experts) for b in model.feed_forward)
        self._block = 0 if whole_experts else max(blocks, default=0) // layout.expert_size
        self.weights = size * (self._part if self._stage == 3 else self._own)
        self.activations = activation_bytes(model, training)

    @property
    def optimizer(self) -> int:
        stage, training = self._stage, self._training
        copies = 2 + (1 if stage or training.precision == "BF16" else 0)
        held = FP32_BYTES * copies * (self._part if stage else self._own)
        staged = FP32_BYTES + (training.element_bytes if stage < 3 else 0)
        return held + (staged * self._part if training.offload_optimizer else 0)

    @property
    def standing(self) -> int:
        """Gradients that are held during another forward pass."""
        kept = self._stage == 3 or self._training.accumulation_steps > 1
        return self.gradients if kept else 0

    @property
    def gradients(self) -> int:
        """Gradients at the optimizer's step."""
        if self._training.offload_optimizer:
            return 0
        return FP32_BYTES * (self._part if self._stage >= 2 else self._own)

    @property
    def exchanged(self) -> int:
        """When a backward pass begins: buckets, and what ZeRO-3 gathered, experts as one block."""
        if self._stage < 3:
            return self._buckets if self._stage else 0
        live = max(min(self._partitioned, self._training.live_elements), self._block)
        return self._training.element_bytes * live + self._buckets

    @property
    def working(self) -> int:
        """During the optimizer's step: flat gradients, square roots; below ZeRO-3, also a list."""
        if self._stage == 0 or self._training.offload_optimizer:
            return 0
        if self._stage == 3:
            together = min(self._part, self._training.sub_group_elements)
            return 2 * FP32_BYTES * together + self._buckets
        return 3 * FP32_BYTES * self._part

    @property
    def _buckets(self) -> int:
        """Gradients that are reduced at once; ZeRO-3 has only one bucket, ZeRO-1 adds up first."""
        size = FP32_BYTES if self._stage == 1 else self._training.element_bytes
        count = 2 if self._training.overlapping and self._stage < 3 else 1
        return count * size * min(self._partitioned, self._training.bucket_elements)


def is_tiled(block: FeedForward, training: TrainingSettings) -> bool:
    """Whether the trainer computes the dense part of `block` in tiles of tokens."""
    return training.activation_checkpointing and training.own_tokens * block.size > TILE_ELEMENTS


def own_routed_tile(block: FeedForward, hidden_size: int, training: TrainingSettings) -> int | None:
    """Tokens of a tile in which the trainer computes the routed experts of `block`; None: all."""
    if not training.activation_checkpointing:
        return None
    tokens, sharing = training.own_tokens, training.layout.expert_size
    return block.routed_tile(hidden_size, tokens, TILE_ELEMENTS, sharing)


def activation_bytes(model: Architecture, training: TrainingSettings) -> int:
    """Tensors of one micro batch that the backward pass needs, on one process.

    Counted as in Korthikanti et al., arXiv 2205.05198, section 4.1, for attention that stores no
    L x L matrix and gated feed-forward layers, with the norms of transformers, which are computed
    in FP32. With activation checkpointing: each layer's input, and the tensors of the largest
    layer. The head holds a chunk of logits twice in FP32, and the gradients of its inputs and
    weight.
    """
    size, tokens = training.element_bytes, training.own_tokens
    layers = {block: _layer_bytes(model, block, training) for block in set(model.feed_forward)}
    kept = sum(layers[block] for block in model.feed_forward)
    if training.activation_checkpointing:
        kept = tokens * model.layers * model.hidden_size * size + max(layers.values())
    logits = 2 * FP32_BYTES * min(CHUNK_LOGITS, tokens * model.vocabulary_size)
    weight = (FP32_BYTES + size) * model.vocabulary_size * model.hidden_size
    return kept + tokens * model.hidden_size * size + logits + weight


def _layer_bytes(model: Architecture, block: FeedForward, training: TrainingSettings) -> int:
    """Of each token: both norms (input in FP32, normalized, scaled), queries, keys, values, the
    heads' output before and after joining; of each expert or dense block gate, up, activated gate
    and product; and the inputs and outputs of routed experts. Where activations are computed
    again, only a tile of the dense block and of routed experts counts."""
    heads = model.attention
    size, tokens = training.element_bytes, training.own_tokens
    norms = 2 * model.hidden_size * (FP32_BYTES + 2 * size)
    attention = int(3 * heads.width) + heads.cached + heads.latent_size
    dense = TILE_ELEMENTS if is_tiled(block, training) else tokens * block.size
    routed = _routed_held(block, model.hidden_size, training)
    return tokens * (norms + size * attention) + size * (4 * dense + routed)


def _routed_held(block: FeedForward, hidden_size: int, training: TrainingSettings) -> int:
    held = training.own_tokens * block.routed_elements(hidden_size)
    if tile := own_routed_tile(block, hidden_size, training):
        sharing = training.layout.expert_size
        held -= (training.own_tokens - tile) * block.tiled_elements(hidden_size, sharing)
        held += block.routed_parameters(hidden_size, block.experts) // sharing
    return held
