"""Layouts of a run: every one that is allowed, whether it fits, and how fast it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

from lccp.api.run import LCCPRun
from lccp.cost.architecture import Architecture
from lccp.cost.compatibility import layout_refusals
from lccp.cost.flops import flops_per_token
from lccp.cost.layout import Layout, step_shape
from lccp.cost.memory import Memory, TrainingSettings
from lccp.cost.planning.devices import DeviceCluster
from lccp.cost.planning.step_time import StepTime, step_tokens
from lccp.cost.scratch import scratch_bytes

ZERO_STAGES = (0, 1, 2, 3)
SECONDS_PER_HOUR = 3_600


@dataclass(frozen=True)
class Candidate:
    """One layout of a run on a cluster: what a process holds, and how long a step takes."""

    training: TrainingSettings
    memory: Memory
    step: StepTime
    host_bytes: int
    """Memory of the first node: copies of a checkpoint and of its part of a state, beside an
    offloaded optimizer; or the weights while they are loaded, by each process below stage 3."""
    flops_per_token: float
    peak_flops: float
    """FLOP/s of one device, in the run's precision."""

    @classmethod
    def of(cls, run: LCCPRun, model: Architecture, cluster: DeviceCluster) -> Self:
        """The layout that the spec of `run` requests."""
        training = TrainingSettings.of(run)
        memory, each = Memory.of(model, training), cluster.devices_per_node
        saving = (memory.total - memory.device) * each + scratch_bytes(model.parameters, run.spec)
        loading = model.parameters * training.element_bytes
        return cls(
            training,
            memory,
            StepTime.of(model, training, cluster),
            max(saving, loading * (1 if training.zero_stage == 3 else each)),
            flops_per_token(model, training.context_length),
            cluster.device.peak(training.precision),
        )

    @property
    def tokens_per_second(self) -> float:
        """Over all devices."""
        return step_tokens(self.training) / self.step.seconds

    @property
    def utilisation(self) -> float:
        """Model FLOPs as a share of the devices' peak, 0 to 1; recomputation does not count."""
        peak = self.training.layout.processes * self.peak_flops
        return self.tokens_per_second * self.flops_per_token / peak

    @property
    def hours(self) -> float:
        """Of the whole training, branches included, without starts, saves and failures."""
        return self.training.all_tokens / self.tokens_per_second / SECONDS_PER_HOUR

    @property
    def accelerator_hours(self) -> float:
        return self.hours * self.training.layout.processes

    def fits(self, cluster: DeviceCluster) -> bool:
        """Whether device and host hold it; a host of unknown memory does."""
        host = cluster.host_bytes is None or self.host_bytes <= cluster.host_bytes
        return host and self.memory.device <= cluster.device.usable_bytes


def layouts_that_fit(
    run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster
) -> list[Candidate]:
    """Every allowed layout of the run's processes that fits, the fastest first.

    Of equally fast ones, the one that holds less comes first.

    Raises:
        InvalidInput: the model type of `config` can't be counted, or a field is missing.
    """
    return sorted(
        fitting(run, config, cluster), key=lambda one: (one.step.seconds, one.memory.total)
    )


def fitting(run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster) -> Iterator[Candidate]:
    """The same in no particular order, as they are found."""
    model = Architecture.from_config(config)
    for other in variants(run, config):
        candidate = Candidate.of(other, model, cluster)
        if candidate.fits(cluster):
            yield candidate


def variants(run: LCCPRun, config: Mapping[str, Any]) -> Iterator[LCCPRun]:
    """`run` in every layout that `layout_refusals` does not refuse.

    Micro batches are limited to powers of 2 that divide the rows of a process.
    """
    sizes = _divisors(Layout.of(run.spec).processes)
    for stage, sequence, experts, offload in product(ZERO_STAGES, sizes, sizes, ("None", "CPU")):
        deepspeed = run.spec.trained.deepspeed.model_copy(
            update={
                "zero_stage": stage,
                "sequence_parallel_size": sequence,
                "expert_parallel_size": experts,
                "offload_optimizer": offload,
            }
        )
        laid_out = _with(run, deepspeed=deepspeed, micro_batch_size=1)
        if layout_refusals(laid_out.spec, config):
            continue
        for micro_batch in _powers_of_two(step_shape(laid_out.spec).accumulation_steps):
            for recomputed in (False, True):
                yield _with(
                    laid_out, micro_batch_size=micro_batch, activation_checkpointing=recomputed
                )


def _with(run: LCCPRun, **training: Any) -> LCCPRun:
    changed = run.spec.trained.model_copy(update=training)
    return run.model_copy(update={"spec": run.spec.model_copy(update={"training": changed})})


def _divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]


def _powers_of_two(divided: int) -> Iterator[int]:
    """Those that divide `divided`."""
    size = 1
    while divided % size == 0:
        yield size
        size *= 2
