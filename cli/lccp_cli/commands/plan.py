"""`lccp plan`: what a run's checkpoints can decide, and what its training costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lccp.analysis.power import Power, SignalPower
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
        float | None, typer.Option(min=0.0, help="Price of an accelerator-hour.")
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
            min=0.1, help="Bandwidth of each device to other nodes, in Gbit/s. Default: 400."
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
    detect a plateau of each primary signal. Exits with 1 if no checkpoint of the plan can ever be
    judged Saturated.

    With --device: memory by part, speed, hours and cost of the manifest's layout, and the layouts
    that fit, fastest first. Exits with 1 if the manifest's layout does not fit, and says which ones
    do.

    Examples:

        lccp plan examples/tiny/run.yaml
        lccp plan my-run.yaml --device h100-80g --nodes 4 --price 3
        lccp plan my-run.yaml --jitter 0.6
        lccp plan my-run.yaml --json | jq .signals[0].plans[0].within
    """
    from lccp.analysis.policy import policy_of_run
    from lccp.analysis.possible import obstacle
    from lccp.contract.errors import InvalidInput
    from lccp.cost.compatibility import check
    from lccp_cli.console import json_text
    from lccp_cli.manifest import load_manifest
    from lccp_cli.training_plan import TrainingOptions, plan_training

    run = load_manifest(manifest)
    options = TrainingOptions(nodes, price, efficiency, network_gbits, model)
    if device is not None:
        fits = plan_training(run, manifest, device, options, json, endpoint)
        raise typer.Exit(0 if fits else 1)
    options.refuse()
    if run.spec.source is None:
        check(run.spec)
    problem = obstacle(run)
    if problem:
        typer.echo(json_text({"obstacle": problem}) if json else f"Never Saturated: {problem}.")
        raise typer.Exit(1)
    found, unknown = planned(run, policy_of_run(run), jitter)
    if not found:
        raise InvalidInput("; ".join(unknown))
    if json:
        typer.echo(power_json(found, unknown))
        return
    typer.echo(f"Assumed: checkpoints jitter by {jitter:g} minGain, clusters as in the demo.")
    for one in found:
        show_power(one)
    for sentence in unknown:
        typer.echo(f"Not simulated: {sentence}.")


def planned(
    run: "LCCPRun", policy: "Policy", jitter: float
) -> "tuple[list[SignalPower], list[str]]":
    """How well the plan of `run` sees plateaus, by primary signal; and of which this is unknown."""
    from lccp.analysis.possible import probe_of
    from lccp.analysis.power import Design, Noise, SignalPower
    from lccp.probes.registry import PROBES

    due = run.spec.checkpoints.due(run.spec.budget_tokens)
    at = tuple(t / policy.horizon_tokens for t in due if t > policy.warmup_tokens)
    asked = run.spec.evaluation.probes.asked()
    found, unknown = [], []
    for signal in policy.signals:
        probe = probe_of(signal)
        kinds = PROBES.clusters(probe, signal, asked) if probe else ()
        if kinds:
            design = Design(at, {kind.name: kind.count for kind in kinds})
            fixed = {kind.name for kind in kinds if kind.fixed}
            noise = Noise.stated(jitter, kinds)
            found.append(SignalPower.of(signal, design, noise, policy, fixed))
        else:
            unknown.append(_unknown(signal, probe, probe in asked))
    return found, unknown


def _unknown(signal: str, probe: str | None, is_on: bool) -> str:
    why = "an external suite measures it, which declares no clusters"
    if probe is not None:
        why = f"its probe {probe} {'reports it without clusters' if is_on else 'is off'}"
    return (
        f"{signal}: {why}, so how often the plan detects its plateau is unknown; lccp analyze "
        "--power says so from the reports of three checkpoints"
    )


def show_power(one: "SignalPower") -> None:
    """Print the power of the plan (the first row) and of alternatives."""
    from lccp_cli.console import standard_output, table_of

    kinds = [f"{kind}s" for kind in one.powers[0].design.clusters]
    table = table_of("checkpoints", *kinds, "within 4 T", "in the end", "median")
    for each in one.powers:
        table.add_row(*_row(each))
    console = standard_output()
    console.print(
        f"{one.signal}: share of plateaus that are judged Saturated; the first row is the plan:"
    )
    console.print(table)
    console.print(_advice(one.powers))


def power_json(found: "Sequence[SignalPower]", unknown: "Sequence[str]" = ()) -> str:
    """The same as JSON, with the noise that it is based on."""
    from lccp_cli.console import json_text

    signals = [
        {
            "signal": one.signal,
            "jitter": one.noise.jitter,
            "plans": [_document(each) for each in one.powers],
            "advice": _advice(one.powers),
        }
        for one in found
    ]
    return json_text({"signals": signals, "notSimulated": list(unknown)})


def _document(one: "Power") -> dict[str, object]:
    import math

    median = one.median_horizons
    return {
        "checkpoints": len(one.design.at),
        "clusters": dict(one.design.clusters),
        "within": one.within,
        "whole": one.whole,
        "medianHorizons": median if math.isfinite(median) else None,
    }


def _row(one: "Power") -> tuple[str, ...]:
    import math

    median = one.median_horizons
    counts = (len(one.design.at), *one.design.clusters.values())
    told = f"{median:.1f} T" if math.isfinite(median) else "never"
    return (*map(str, counts), f"{one.within:.0%}", f"{one.whole:.0%}", told)


def _advice(powers: "Sequence[Power]") -> str:
    from lccp.analysis.power import ENOUGH, cheapest

    own, best = powers[0], cheapest(powers)
    if own.within >= ENOUGH:
        return f"The plan suffices: it detects {own.within:.0%} of plateaus within four horizons."
    if best is None:
        return (
            f"The plan detects {own.within:.0%} of plateaus within four horizons, and none of the "
            "others suffices: lower the learning rate, raise minGain, or use longer horizons."
        )
    clusters = [f"{count} {kind}s" for kind, count in best.design.clusters.items()]
    design = ", ".join((f"{len(best.design.at)} checkpoints", *clusters))
    return (
        f"The plan detects {own.within:.0%} of plateaus within four horizons. Sufficient with the "
        f"fewest samples: {design} ({best.within:.0%})."
    )
