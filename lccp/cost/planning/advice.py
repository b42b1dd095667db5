"""The plan of a training on a cluster: whether the manifest's layout fits, and which would."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from lccp.api.run import LCCPRun
from lccp.cost import scratch
from lccp.cost.architecture import Architecture
from lccp.cost.compatibility import layout_refusals
from lccp.cost.planning.devices import DEVICES, USABLE, DeviceCluster
from lccp.cost.planning.layouts import Candidate, fitting, layouts_that_fit

GIBIBYTE = 2**30
MORE_NODES = (2, 4, 8, 16)
"""Multiples of the run's nodes to try where nothing fits."""


@dataclass(frozen=True)
class TrainingPlan:
    """The manifest's layout, and every layout that fits."""

    asked: Candidate | None
    """The manifest's layout; None if the trainer would refuse it."""
    obstacles: tuple[str, ...]
    """Why it can't be trained that way, a sentence each; empty if it can."""
    layouts: tuple[Candidate, ...]
    """All that fit, the fastest first."""
    advice: str
    """What would fit, if the manifest's layout does not and no refusal says so; else empty."""

    @classmethod
    def of(cls, run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster) -> Self:
        """The plan of `run`, whose model's config.json is `config`, on `cluster`.

        Raises:
            InvalidInput: the model type of `config` can't be counted, or a field is missing.
        """
        model = Architecture.from_config(config)
        refused = layout_refusals(run.spec, config)
        asked = None if refused else Candidate.of(run, model, cluster)
        obstacles = refused if asked is None else list(_too_large(asked, cluster))
        layouts = layouts_that_fit(run, config, cluster)
        advice = ""
        if obstacles and layouts:
            advice = _fields(layouts[0])
        elif obstacles and not refused:
            advice = _elsewhere(run, config, cluster)
        volume = scratch.refusals(run.spec, config)
        return cls(asked, (*obstacles, *volume), tuple(layouts), advice)


def with_nodes(run: LCCPRun, nodes: int) -> LCCPRun:
    """`run` on `nodes` nodes."""
    topology = run.spec.topology.model_copy(update={"nodes": nodes})
    return run.model_copy(update={"spec": run.spec.model_copy(update={"topology": topology})})


def _too_large(asked: Candidate, cluster: DeviceCluster) -> Iterator[str]:
    held, usable = asked.memory.device, cluster.device.usable_bytes
    if held > usable:
        yield (
            f"a process holds {_gib(held)}, and a device has {_gib(usable)} for it "
            f"({USABLE:.0%} of {_gib(cluster.device.memory_bytes)})"
        )
    host = asked.host_bytes
    if cluster.host_bytes is not None and host > cluster.host_bytes:
        yield (
            f"the processes of the first node hold {_gib(host)} of its memory when they load or "
            f"save, and topology.resources lets a pod take {_gib(cluster.host_bytes)}"
        )


def _fields(best: Candidate) -> str:
    training = best.training
    return (
        f"the fastest that fits: zeroStage {training.zero_stage}, "
        f"sequenceParallelSize {training.layout.sequence_size}, "
        f"expertParallelSize {training.layout.expert_size}, "
        f"offloadOptimizer {'CPU' if training.offload_optimizer else 'None'}, "
        f"activationCheckpointing {str(training.activation_checkpointing).lower()}, "
        f"microBatchSize {training.micro_batch_size}"
    )


def _elsewhere(run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster) -> str:
    """More nodes, the smallest device, or the least memory of a host with which a layout fits."""
    ways = (_more_nodes, _larger, _more_memory)
    found = list(filter(None, (way(run, config, cluster) for way in ways)))
    if not found:
        most = MORE_NODES[-1] * run.spec.topology.nodes
        return f"no layout fits on up to {most} nodes, nor on any device that is known"
    return f"no layout fits these devices: {' or '.join(found)} would do"


def _more_nodes(run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster) -> str:
    for nodes in (times * run.spec.topology.nodes for times in MORE_NODES):
        if any(fitting(with_nodes(run, nodes), config, cluster)):
            return f"{nodes} nodes"
    return ""


def _larger(run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster) -> str:
    by_memory = sorted(DEVICES.items(), key=lambda item: item[1].memory_bytes)
    for name, device in by_memory:
        if device.memory_bytes > cluster.device.memory_bytes and any(
            fitting(run, config, replace(cluster, device=device))
        ):
            return name
    return ""


def _more_memory(run: LCCPRun, config: Mapping[str, Any], cluster: DeviceCluster) -> str:
    if cluster.host_bytes is None:
        return ""
    unlimited = fitting(run, config, replace(cluster, host_bytes=None))
    least = min((one.host_bytes for one in unlimited), default=None)
    return "" if least is None else f"topology.resources with {-(-least // GIBIBYTE)}Gi of memory"


def _gib(size: int) -> str:
    return f"{size / GIBIBYTE:,.1f} GiB"
