"""The plan of a training, on the terminal or as JSON: memory, speed, cost, layouts that fit."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from lccp.cost.memory import TrainingSettings
from lccp.cost.planning.advice import TrainingPlan
from lccp.cost.planning.devices import DeviceCluster
from lccp.cost.planning.layouts import Candidate
from lccp.report.text import bytes_text, duration_text, percent_text, tokens_text
from lccp_cli.output.console import print_table, table_of

ROWS = 10
"""Number of layouts that are printed."""
SECONDS_PER_HOUR = 3_600
COLUMNS = (
    *("SP", "EP", "offload", "checkpointing", "micro batch"),
    *("memory", "tokens/s", "accelerator-hours"),
)


def show(plan: TrainingPlan, cluster: DeviceCluster, price: float | None, out: Console) -> None:
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
        print_table(out, _table(plan, price))


def document_of(plan: TrainingPlan, cluster: DeviceCluster, price: float | None) -> dict[str, Any]:
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
    limit = "" if cluster.host_bytes is None else f" of {bytes_text(cluster.host_bytes)}"
    yield "memory of a host", f"{bytes_text(one.host_bytes)}{limit}"
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
            "host": one.host_bytes,
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
