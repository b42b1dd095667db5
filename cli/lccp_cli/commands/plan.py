"""`lccp plan`: what a run's checkpoints can decide, and what its training costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from lccp.analysis.power.designs import Planned
    from lccp.api.objects.policy import Policy
    from lccp.api.run import LCCPRun


def plan(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="YAML file that contains an LCCPRun.")
    ],
    jitter: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=10.0,
            help="Assumed standard deviation of the noise between checkpoints, in units of "
            "minGain. lccp analyze --power uses a run's own.",
        ),
    ] = 0.3,
    device: Annotated[
        str | None,
        typer.Option(
            help="Accelerator, such as h100-80g: plan the training on this device instead."
        ),
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, max=4_096, help="Nodes. Default: topology.nodes.")
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0.0, max=1e6, help="Price of an accelerator-hour.")
    ] = None,
    efficiency: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=1.0, help="Share of its peak that a device reaches. Default: 0.4."
        ),
    ] = None,
    network_gbits: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1e6,
            help="Bandwidth of each device to other nodes, in Gbit/s. Default: 400.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder that contains the model's config.json. Default: spec.model.source."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the plans as JSON.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Print whether a plan can detect a plateau, or what its training costs on a device.

    Without --device: which clusters of samples (haystacks, documents and so on) and checkpoints
    detect a plateau of each primary signal, and which let the gate answer about plateaus in spite
    of the noise. Exits with 1 if no checkpoint of the plan can ever be judged Saturated.

    With --device: memory by part, speed, hours and cost of the manifest's layout, and the layouts
    that fit, fastest first. Exits with 1 if the manifest's layout does not fit, and says which ones
    do. Of a run that is attached to another trainer: the memory of an evaluator, and whether it
    fits.

    Examples:

        lccp plan examples/tiny/run.yaml
        lccp plan my-run.yaml --device h100-80g --nodes 4 --price 3
        lccp plan my-run.yaml --jitter 0.6
        lccp plan my-run.yaml --json | jq .signals[0].plans[0].within
    """
    from lccp.analysis.policy import policy_of_run
    from lccp.analysis.possible import obstacle
    from lccp.analysis.power.gates import gate_powers
    from lccp.analysis.power.outcomes import Simulations
    from lccp.analysis.power.plateaus import SignalPower
    from lccp.contract.errors import InvalidInput
    from lccp.cost.compatibility import check
    from lccp_cli.manifest import load_manifest
    from lccp_cli.output.console import json_text
    from lccp_cli.output.device_plan import DeviceOptions, plan_on_device
    from lccp_cli.output.power import power_json, show_gate_power, show_power

    run = load_manifest(manifest)
    options = DeviceOptions(nodes, price, efficiency, network_gbits, model)
    if device is not None:
        fits = plan_on_device(run, manifest, device, options, json, endpoint)
        raise typer.Exit(0 if fits else 1)
    options.refuse()
    if run.spec.source is None:
        check(run.spec)
    problem = obstacle(run)
    if problem:
        typer.echo(json_text({"obstacle": problem}) if json else f"Never Saturated: {problem}.")
        raise typer.Exit(1)
    policy = policy_of_run(run)
    simulations = Simulations(policy, lambda signal: planned(run, policy, signal, jitter))
    seen = {signal: simulations.of(signal) for signal in policy.signals}
    found = [SignalPower.of(name, one) for name, one in seen.items() if not isinstance(one, str)]
    unknown = [one for one in seen.values() if isinstance(one, str)]
    if not found:
        raise InvalidInput("; ".join(unknown))
    gate, unanswered = gate_powers(policy, guards(run, policy), simulations.of)
    unknown += unanswered
    if json:
        typer.echo(power_json(found, gate, unknown))
        return
    typer.echo(f"Assumed: checkpoints jitter by {jitter:g} minGain, clusters as in the demo.")
    for one in found:
        show_power(one)
    show_gate_power(gate, unknown)


def planned(run: "LCCPRun", policy: "Policy", signal: str, jitter: float) -> "Planned | str":
    """What `run` plans for a signal, or why it is unknown which clusters measure it."""
    from lccp.analysis.possible import probe_of
    from lccp.analysis.power.designs import Design, Planned
    from lccp.analysis.simulation import Noise
    from lccp.probes.registry import PROBES

    asked, probe = run.spec.evaluation.probes.asked(), probe_of(signal)
    kinds = PROBES.clusters(probe, signal, asked) if probe else ()
    if not kinds:
        return _unknown(signal, probe, probe in asked)
    due = run.spec.checkpoints.due(run.spec.budget_tokens)
    at = tuple(t / policy.horizon_tokens for t in due if t > policy.warmup_tokens)
    return Planned(
        Design(at, {kind.name: kind.count for kind in kinds}),
        Noise.stated(jitter, kinds),
        {kind.name for kind in kinds if kind.fixed},
    )


def guards(run: "LCCPRun", policy: "Policy") -> list[str]:
    """Guards of the run, by its policy or its probes."""
    from lccp.analysis.policy import names_of
    from lccp.contract.signals import Role
    from lccp.probes.registry import PROBES

    asked = run.spec.evaluation.probes.asked()
    declared = (s for name, settings in asked.items() for s in PROBES[name].signals(settings))
    return names_of(Role.GUARD, declared, policy)


def _unknown(signal: str, probe: str | None, is_on: bool) -> str:
    why = "an external suite measures it, which declares no clusters"
    if probe is not None:
        why = f"its probe {probe} {'reports it without clusters' if is_on else 'is off'}"
    return (
        f"{signal}: {why}, so how often the plan detects its plateau is unknown; lccp analyze "
        "--power says so from the reports of three checkpoints"
    )
