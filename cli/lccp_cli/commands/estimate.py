"""`lccp estimate`: what a run costs, before it starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lccp.api.run import LCCPRun
    from lccp.cost.estimate import Estimate
    from lccp.cost.memory import TrainingSettings

SECONDS_PER_HOUR = 3_600


def estimate(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="YAML file that contains an LCCPRun.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder that contains the model's config.json. Default: spec.model.source."
        ),
    ] = None,
    flops_per_second: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=1e18,
            help="Peak FLOP/s of one accelerator, such as 989e12 (H100, dense BF16).",
        ),
    ] = None,
    mfu: Annotated[
        float,
        typer.Option(min=0.01, max=1, help="Expected model FLOPs utilization (MFU)."),
    ] = 0.4,
    endpoint: Endpoint = None,
) -> None:
    """Estimate the parameters, FLOPs, memory per process, scratch and accelerator-hours of a run.

    A layout that the trainer would refuse is refused here, with the field and a valid value. Of a
    run that is attached to another trainer, only what it takes to evaluate its checkpoints.

    Examples:

        lccp estimate examples/tiny/run.yaml
        lccp estimate my-run.yaml --model ./config-only --flops-per-second 989e12 --mfu 0.35
    """
    from lccp.cost.compatibility import check
    from lccp.cost.estimate import Estimate
    from lccp.cost.memory import TrainingSettings
    from lccp_cli.machine import evaluators
    from lccp_cli.manifest import load_manifest, model_config

    run = load_manifest(manifest)
    config = model_config(run, manifest, model, endpoint)
    if run.spec.source is not None:
        if flops_per_second is not None:
            raise evaluators.about_training("--flops-per-second")
        _echo(evaluators.lines(run, config))
        return
    training = TrainingSettings.of(run)
    costs = Estimate.of(config, training)
    check(run.spec, config)
    on_disk = _scratch(run, costs.parameters)
    _echo((*_lines(costs, training), *on_disk, *_hours(costs, flops_per_second, mfu)))


def _echo(lines: "Iterable[tuple[str, str]]") -> None:
    for name, value in lines:
        typer.echo(f"{name:<28}{value}")


def _lines(costs: "Estimate", training: "TrainingSettings") -> "Iterator[tuple[str, str]]":
    from lccp.report.text import bytes_text, length_text, scientific_text, tokens_text

    memory, host = costs.memory, " (on the host)" if costs.memory.optimizer_on_host else ""
    yield "parameters", tokens_text(costs.parameters)
    yield "active parameters", tokens_text(costs.active_parameters)
    yield "tokens", tokens_text(training.tokens)
    if training.branch_tokens:
        yield "tokens of branches", tokens_text(training.branch_tokens)
    yield "context length", f"{length_text(training.context_length)} tokens"
    yield "FLOPs per token", scientific_text(costs.flops_per_token)
    yield "training FLOPs", scientific_text(costs.training_flops)
    layout = training.layout
    yield "processes", f"{layout.processes}, ZeRO stage {training.zero_stage}"
    yield "memory per process", bytes_text(memory.device)
    yield "  weights", bytes_text(memory.weights)
    yield "  gradients", bytes_text(memory.gradients)
    yield "  optimizer", f"{bytes_text(memory.optimizer)}{host}"
    yield "  activations", bytes_text(memory.activations)
    yield "  buffers", bytes_text(memory.buffers)
    yield "key-value cache", f"{bytes_text(costs.key_value_bytes)} per sequence (evaluation)"


def _scratch(run: "LCCPRun", parameters: int) -> "Iterator[tuple[str, str]]":
    from lccp.api.spec.workload import EPHEMERAL_STORAGE, amount
    from lccp.cost.scratch import scratch_bytes
    from lccp.report.text import bytes_text

    needed = scratch_bytes(parameters, run.spec)
    yield "scratch of the first pod", bytes_text(needed)
    resources = run.spec.topology.resources
    asked = (resources.limits | resources.requests).get(EPHEMERAL_STORAGE)
    if asked is None or amount(asked) < needed:
        yield "  requested", f"{asked or 'none'}: a node short of disk evicts the pod first"


def _hours(
    costs: "Estimate", flops_per_second: float | None, mfu: float
) -> "Iterator[tuple[str, str]]":
    if flops_per_second is not None:
        hours = costs.training_flops / (flops_per_second * mfu) / SECONDS_PER_HOUR
        yield "accelerator-hours", f"{hours:,.3g} at {mfu:.0%} of {flops_per_second:.3g} FLOP/s"
