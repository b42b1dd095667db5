"""What `lccp plan --device` prints: memory, speed and cost of a training, and layouts that fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lccp.api.run import LCCPRun
from lccp.api.spec.workload import amount
from lccp.contract.errors import InvalidInput
from lccp.cost.memory import TrainingSettings
from lccp.cost.planning.advice import TrainingPlan, with_nodes
from lccp.cost.planning.devices import DEVICES, EFFICIENCY, NETWORK, DeviceCluster, device_of
from lccp.cost.planning.evaluators import EvaluatorPlan
from lccp.cost.planning.layouts import Candidate
from lccp.report.text import bytes_text, duration_text, percent_text, tokens_text
from lccp_cli.machine.attached import NOT_OURS
from lccp_cli.manifest import model_config
from lccp_cli.output.console import json_text, standard_output, table_of

ROWS = 10
"""Number of layouts that are printed."""
SECONDS_PER_HOUR = 3_600
GIGABIT = 10**9 / 8
"""Bytes."""
COLUMNS = ("SP", "EP", "offload", "checkpointing", "micro batch", "memory", "tokens/s", "hours")


@dataclass(frozen=True)
class TrainingOptions:
    """Options that go with `--device`."""

    nodes: int | None = None
    price: float | None = None
    """Price of an accelerator-hour."""
    efficiency: float | None = None
    network_gbits: float | None = None
    model: Path | None = None
    """Folder that contains config.json."""

    def refuse(self) -> None:
        """Raise InvalidInput if one of them is given without a device."""
        for option in self._given():
            raise InvalidInput(f"{option}: give --device with it: one of {', '.join(DEVICES)}")

    def refuse_training(self) -> None:
        """Raise InvalidInput if one is given that is about the training, which is another's."""
        for option in self._given():
            if option != "--model":
                raise InvalidInput(f"{option}: leave it out, since the training is {NOT_OURS}")

    def _given(self) -> list[str]:
        return [f"--{n.replace('_', '-')}" for n, value in vars(self).items() if value is not None]


def plan_training(
    run: LCCPRun,
    manifest: Path,
    device: str,
    options: TrainingOptions,
    json: bool,
    endpoint: str | None = None,
) -> bool:
    """Print the plan of the training on that device; return whether the manifest's layout fits.

    Of an attached run, whose training is another's, the plan of an evaluator, and whether it fits.

    Args:
        endpoint: of the bucket that holds the model, if any.

    Raises:
        InvalidInput: the device is unknown, or the model's config.json is missing, or can't be
            counted.
    """
    if run.spec.source is not None:
        options.refuse_training()
    cluster = DeviceCluster(
        device_of(device),
        run.spec.topology.processes_per_node,
        options.efficiency or EFFICIENCY,
        (options.network_gbits or NETWORK / GIGABIT) * GIGABIT,
        _host_bytes(run),
    )
    config = model_config(run, manifest, options.model, endpoint)
    evaluator = EvaluatorPlan.of(run, config, cluster)
    document: dict[str, Any] = {"evaluator": _evaluator_document(evaluator)}
    out = standard_output()
    if run.spec.source is not None:
        fits = evaluator.memory.total <= evaluator.usable_bytes
        if not json:
            out.print(f"{'training':<24}{NOT_OURS}")
    else:
        asked = run if options.nodes is None else with_nodes(run, options.nodes)
        plan = TrainingPlan.of(asked, config, cluster)
        fits, document = not plan.obstacles, _document(plan, cluster, options.price) | document
        if not json:
            _show(plan, cluster, options.price, out)
    if json:
        print(json_text(document))
    else:
        for name, value in _evaluator_lines(evaluator):
            out.print(f"{name:<24}{value}")
    return fits


def _host_bytes(run: LCCPRun) -> int | None:
    """Memory that the run's pods may use; None if it is not given."""
    resources = run.spec.topology.resources
    quantity = resources.limits.get("memory") or resources.requests.get("memory")
    return None if quantity is None else amount(quantity)


def _show(plan: TrainingPlan, cluster: DeviceCluster, price: float | None, out: Console) -> None:
    """Print the manifest's layout by part, why it can't be trained, and layouts that fit."""
    if plan.asked is not None:
        for name, value in _lines(plan.asked, cluster, price):
            out.print(f"{name:<24}{value}")
    for obstacle in plan.obstacles:
        out.print(f"Does not fit: {obstacle}.")
    if plan.advice:
        out.print(f"{plan.advice[0].upper()}{plan.advice[1:]}.")
    if plan.layouts:
        out.print(
            f"Layouts that fit, the {min(ROWS, len(plan.layouts))} fastest of {len(plan.layouts)}:"
        )
        out.print(_table(plan, price))


def _document(plan: TrainingPlan, cluster: DeviceCluster, price: float | None) -> dict[str, Any]:
    """The same, of plain JSON types: bytes, seconds, tokens."""
    return {
        "assumed": {
            "usableBytes": cluster.device.usable_bytes,
            "efficiency": cluster.efficiency,
            "networkBytesPerSecond": cluster.network,
            "hostBytes": cluster.host_bytes,
        },
        "asked": None if plan.asked is None else _candidate(plan.asked, price),
        "obstacles": list(plan.obstacles),
        "advice": plan.advice,
        "fitting": len(plan.layouts),
        "layouts": [_candidate(one, price) for one in plan.layouts[:ROWS]],
    }


def _lines(
    one: Candidate, cluster: DeviceCluster, price: float | None
) -> Iterator[tuple[str, str]]:
    memory, step, training = one.memory, one.step, one.training
    yield "devices", f"{training.layout.processes}, {cluster.devices_per_node} a node"
    usable = bytes_text(cluster.device.usable_bytes)
    yield "memory per device", f"{bytes_text(memory.device)} of {usable}"
    yield "  weights", bytes_text(memory.weights)
    yield "  gradients", bytes_text(memory.gradients)
    host = " (on the host)" if memory.optimizer_on_host else ""
    yield "  optimizer", f"{bytes_text(memory.optimizer)}{host}"
    yield "  activations", bytes_text(memory.activations)
    yield "  buffers", bytes_text(memory.buffers)
    if memory.optimizer_on_host:
        yield "memory of a host", bytes_text(one.host_bytes(cluster))
    yield "time of a step", duration_text(step.seconds)
    at = f", at {percent_text(cluster.efficiency)} of the peak"
    yield "  computing", f"{duration_text(step.computing)}{at}"
    beside = ", beside it" if step.overlapped else ""
    yield "  collectives", f"{duration_text(step.collectives)}{beside}"
    yield "  exchanges", duration_text(step.exchanges)
    yield "  host", duration_text(step.host)
    yield "tokens per second", f"{tokens_text(one.tokens_per_second)} (MFU {one.utilisation:.2f})"
    yield "tokens", tokens_text(training.tokens)
    if training.branch_tokens:
        yield "tokens of branches", tokens_text(training.branch_tokens)
    yield "time", duration_text(one.hours * SECONDS_PER_HOUR)
    yield "accelerator-hours", _hours(one)
    if price is not None:
        yield "cost", f"{price * one.accelerator_hours:,.0f}"


def _evaluator_lines(plan: EvaluatorPlan) -> Iterator[tuple[str, str]]:
    memory, usable = plan.memory, plan.usable_bytes
    of_all = f"{bytes_text(memory.total)} of {bytes_text(usable)}"
    yield "memory of an evaluator", f"{of_all}, evaluation.shards: {plan.shards}"
    yield "  weights", bytes_text(memory.weights)
    yield "  keys and values", f"{bytes_text(memory.cache)} of {plan.tokens:,} tokens"
    yield "  passes", bytes_text(memory.passes)
    if memory.total > usable and plan.fitting is None:
        yield "", "no number of shards fits: evaluate on larger devices"
    elif memory.total > usable:
        yield "", f"fits with evaluation.processes: {plan.fitting}, or a multiple of it"


def _evaluator_document(plan: EvaluatorPlan) -> dict[str, Any]:
    """The same, in bytes."""
    return {"shards": plan.shards, "memory": vars(plan.memory), "fittingShards": plan.fitting}


def _hours(one: Candidate) -> str:
    hours = one.accelerator_hours
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def _table(plan: TrainingPlan, price: float | None) -> Table:
    table = table_of("ZeRO", *COLUMNS, *(["cost"] if price is not None else []))
    for one in plan.layouts[:ROWS]:
        training = one.training
        cells = (
            training.zero_stage,
            training.layout.sequence_size,
            training.layout.expert_size,
            "CPU" if training.offload_optimizer else "None",
            "yes" if training.activation_checkpointing else "no",
            training.micro_batch_size,
            bytes_text(one.memory.device),
            tokens_text(one.tokens_per_second),
            _hours(one),
        )
        cost = [] if price is None else [f"{price * one.accelerator_hours:,.0f}"]
        table.add_row(*map(str, cells), *cost)
    return table


def _candidate(one: Candidate, price: float | None) -> dict[str, Any]:
    memory, step = one.memory, one.step
    document = {
        **_fields(one.training),
        "memory": {
            "device": memory.device,
            "weights": memory.weights,
            "gradients": memory.gradients,
            "optimizer": memory.optimizer,
            "optimizerOnHost": memory.optimizer_on_host,
            "activations": memory.activations,
            "buffers": memory.buffers,
        },
        "stepSeconds": {
            "whole": step.seconds,
            "computing": step.computing,
            "collectives": step.collectives,
            "exchanges": step.exchanges,
            "host": step.host,
        },
        "tokensPerSecond": one.tokens_per_second,
        "mfu": one.utilisation,
        "hours": one.hours,
        "acceleratorHours": one.accelerator_hours,
    }
    return document if price is None else document | {"cost": price * one.accelerator_hours}


def _fields(training: TrainingSettings) -> dict[str, Any]:
    """As the manifest names them."""
    return {
        "zeroStage": training.zero_stage,
        "sequenceParallelSize": training.layout.sequence_size,
        "expertParallelSize": training.layout.expert_size,
        "offloadOptimizer": "CPU" if training.offload_optimizer else "None",
        "activationCheckpointing": training.activation_checkpointing,
        "microBatchSize": training.micro_batch_size,
    }
