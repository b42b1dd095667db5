"""How long one step of the optimizer takes, from its computing and its communication.

An estimate for comparing layouts: devices compute at a stated share of their peak, links carry a
stated share of their bandwidth, and every process is as busy as the others.
"""

import math
from dataclasses import dataclass
from typing import Self

from lccp.cost.architecture import Architecture, FeedForward
from lccp.cost.flops import flops_per_token
from lccp.cost.memory import TrainingSettings, is_tiled, own_routed_tile
from lccp.cost.planning.devices import LINK_EFFICIENCY, DeviceCluster

RECOMPUTED = 4 / 3
"""FLOPs with activation checkpointing, relative to those without: a second forward pass."""
GATED_FORWARD = 6
"""FLOPs of a gated block's forward pass per weight of one of its three matrices; tiles add one."""
ADAM_BYTES = 28
"""Bytes read and written per parameter by a step of Adam: four numbers in, three out, in FP32."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step, by purpose."""

    computing: float
    collectives: float
    """ZeRO's gathering of weights and reducing of gradients."""
    exchanges: float
    """Of heads for tokens (sequence parallelism), and of tokens between experts."""
    host: float
    """An offloaded optimizer: gradients to the host, its step there, weights back."""
    overlapped: bool
    """Collectives overlap with computing, as in DeepSpeed at ZeRO stage 3."""

    @classmethod
    def of(cls, model: Architecture, training: TrainingSettings, cluster: DeviceCluster) -> Self:
        """The time that one step of `training` takes on `cluster`."""
        return cls(
            computing=_computing(model, training, cluster),
            collectives=_collectives(model, training, cluster),
            exchanges=_exchanges(model, training, cluster),
            host=_host(model, training, cluster),
            overlapped=training.zero_stage == 3,
        )

    @property
    def seconds(self) -> float:
        if self.overlapped:
            return max(self.computing, self.collectives) + self.exchanges + self.host
        return self.computing + self.collectives + self.exchanges + self.host


def step_tokens(training: TrainingSettings) -> int:
    """Tokens of one step, over all processes."""
    rows = training.micro_batch_size * training.layout.data_size * training.accumulation_steps
    return rows * training.context_length


def _computing(model: Architecture, training: TrainingSettings, cluster: DeviceCluster) -> float:
    again = RECOMPUTED if training.activation_checkpointing else 1.0
    tiled = sum(_tiled_width(block, model.hidden_size, training) for block in model.feed_forward)
    of_token = again * flops_per_token(model, training.context_length)
    of_token += GATED_FORWARD * model.hidden_size * tiled
    rate = cluster.efficiency * cluster.device.peak(training.precision)
    return of_token * step_tokens(training) / (rate * training.layout.processes)


def _tiled_width(block: FeedForward, hidden_size: int, training: TrainingSettings) -> int:
    """Inner width that a token uses of those parts of `block` that are computed in tiles."""
    routed = own_routed_tile(block, hidden_size, training) is not None
    dense = block.size if is_tiled(block, training) else 0
    return dense + (block.chosen * block.expert_size if routed else 0)


def _collectives(model: Architecture, training: TrainingSettings, cluster: DeviceCluster) -> float:
    """Rajbhandari et al., arXiv 1910.02054, section 7: twice the parameters, or three times.

    Stages 0 and 1 send once a step. With every micro batch, stage 2 reduces gradients; stage 3 also
    gathers weights twice.
    """
    layout, steps = training.layout, training.accumulation_steps
    times = {0: 2, 1: 2, 2: steps + 1, 3: 3 * steps}[training.zero_stage]
    routed = model.routed_parameters // layout.expert_size
    elements = (model.parameters - model.routed_parameters) * _sent(layout.processes)
    elements += routed * _sent(layout.processes // layout.expert_size)
    return times * elements * training.element_bytes / cluster.bandwidth(layout.processes)


def _exchanges(model: Architecture, training: TrainingSettings, cluster: DeviceCluster) -> float:
    """All-to-alls of each pass: Jacobs et al., arXiv 2309.14509, section 3.2, for sequences;
    Rajbhandari et al., arXiv 2201.05596, section 5, for experts."""
    layout, size = training.layout, training.own_tokens * training.element_bytes
    passes = training.accumulation_steps * (3 if training.activation_checkpointing else 2)
    heads = model.layers * size * _head_elements(model, layout.sequence_size)
    chosen = sum(block.chosen for block in model.feed_forward)
    experts = 2 * size * model.hidden_size * chosen
    return passes * (
        heads * _sent(layout.sequence_size) / cluster.bandwidth(layout.sequence_size)
        + experts * _sent(layout.expert_size) / cluster.bandwidth(layout.expert_size)
    )


def _head_elements(model: Architecture, sequence_size: int) -> int:
    """Elements of a token's queries, keys, values and outputs; keys' heads are repeated until the
    processes divide them."""
    heads = model.attention
    repeated = sequence_size // math.gcd(heads.key_value_heads, sequence_size)
    return heads.heads * (heads.query_size + heads.value_size) + repeated * heads.cached


def _host(model: Architecture, training: TrainingSettings, cluster: DeviceCluster) -> float:
    """Ren et al., arXiv 2101.06840: each process updates its own part of the optimizer."""
    if not training.offload_optimizer:
        return 0.0
    part = model.parameters / training.layout.processes
    sent = 2 * training.element_bytes * part / (LINK_EFFICIENCY * cluster.device.host_link)
    return sent + ADAM_BYTES * part / cluster.device.host_memory


def _sent(processes: int) -> float:
    """Share of a tensor that a process sends to the others of its group."""
    return (processes - 1) / processes
