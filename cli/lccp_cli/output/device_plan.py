"""What `lccp plan --device` does: the plan of a training and of its evaluators on that device."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.api.run import LCCPRun
from lccp.api.spec.workload import amount
from lccp.contract.errors import InvalidInput
from lccp.cost.planning.advice import TrainingPlan, with_nodes
from lccp.cost.planning.devices import DEVICES, EFFICIENCY, NETWORK, DeviceCluster, device_of
from lccp.cost.planning.evaluators import EvaluatorPlan
from lccp.report.text import bytes_text
from lccp_cli.machine.evaluators import NOT_OURS, about_training
from lccp_cli.manifest import model_config
from lccp_cli.output.console import json_text, standard_output
from lccp_cli.output.training_plan import document_of, show

GIGABIT = 10**9 / 8
"""Bytes."""


@dataclass(frozen=True)
class DeviceOptions:
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
                raise about_training(option)

    def _given(self) -> list[str]:
        return [f"--{n.replace('_', '-')}" for n, value in vars(self).items() if value is not None]


def plan_on_device(
    run: LCCPRun,
    manifest: Path,
    device: str,
    options: DeviceOptions,
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
    document: dict[str, Any] = {"evaluator": evaluator_document(evaluator)}
    out = standard_output()
    if run.spec.source is not None:
        fits = evaluator.memory.total <= evaluator.usable_bytes
        if not json:
            out.print(f"{'training':<24}{NOT_OURS}")
    else:
        asked = run if options.nodes is None else with_nodes(run, options.nodes)
        plan = TrainingPlan.of(asked, config, cluster)
        fits, document = not plan.obstacles, document_of(plan, cluster, options.price) | document
        if not json:
            show(plan, cluster, options.price, out)
    if json:
        print(json_text(document))
    else:
        for name, value in evaluator_lines(evaluator):
            out.print(f"{name:<24}{value}")
    return fits


def _host_bytes(run: LCCPRun) -> int | None:
    """Memory that the run's pods may use; None if it is not given."""
    resources = run.spec.topology.resources
    quantity = resources.limits.get("memory") or resources.requests.get("memory")
    return None if quantity is None else amount(quantity)


def evaluator_lines(plan: EvaluatorPlan) -> Iterator[tuple[str, str]]:
    """What is printed of the evaluators."""
    memory, usable = plan.memory, plan.usable_bytes
    of_all = f"{bytes_text(memory.total)} of {bytes_text(usable)}"
    yield "memory of an evaluator", f"{of_all}, evaluation.shards: {plan.shards}"
    yield "  weights", bytes_text(memory.weights)
    yield "  keys and values", f"{bytes_text(memory.cache)} of {plan.tokens:,} tokens"
    yield "  passes", bytes_text(memory.passes)
    if memory.total > usable and plan.fitting is None:
        yield "", "no number of shards fits: evaluate on larger devices"
    elif memory.total > usable:
        asked = "" if plan.shards == 1 else f"evaluation.shards: {plan.fitting} and "
        yield "", f"fits with {asked}evaluation.processes: {plan.fitting}, or a multiple of it"


def evaluator_document(plan: EvaluatorPlan) -> dict[str, Any]:
    """The same, in bytes."""
    return {"shards": plan.shards, "memory": vars(plan.memory), "fittingShards": plan.fitting}
