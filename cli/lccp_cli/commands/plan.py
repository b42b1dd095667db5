"""`lccp plan`: what a run's checkpoints can decide, and what its training costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lccp.analysis.power import Design, Noise, Power
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

    Without --device: which haystacks, needles and checkpoints detect a plateau. Exits with 1 if no
    checkpoint of the plan can ever be judged Saturated.

    With --device: memory by part, speed, hours and cost of the manifest's layout, and the layouts
    that fit, fastest first. Exits with 1 if the manifest's layout does not fit, and says which ones
    do.

    Examples:

        lccp plan examples/tiny/run.yaml
        lccp plan my-run.yaml --device h100-80g --nodes 4 --price 3
        lccp plan my-run.yaml --jitter 0.6
        lccp plan my-run.yaml --json | jq .plans[0].within
    """
    from lccp.analysis.policy import policy_of_run
    from lccp.analysis.possible import obstacle
    from lccp.analysis.power import Noise
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
    policy = policy_of_run(run)
    noise = Noise.stated(jitter)
    powers = powers_of(planned(run, policy), noise, policy)
    if json:
        typer.echo(power_json(noise, powers))
        return
    typer.echo(f"Assumed: checkpoints jitter by {jitter:g} minGain, clusters as in the demo.")
    show_power(powers)


def planned(run: "LCCPRun", policy: "Policy") -> "Design":
    """The checkpoints that are judged, with the haystacks and needles of NIAH.

    Raises:
        InvalidInput: the leading signal has none.
    """
    from lccp.analysis.possible import probe_of
    from lccp.analysis.power import Design
    from lccp.contract.errors import InvalidInput
    from lccp.probes.niah import NiahSettings, clusters

    due = run.spec.checkpoints.due(run.spec.budget_tokens)
    at = [t / policy.horizon_tokens for t in due if t > policy.warmup_tokens]
    settings = run.spec.evaluation.probes.asked().get(probe_of(policy.signal) or "")
    if not isinstance(settings, NiahSettings):
        raise InvalidInput(
            f"{policy.signal}: has no haystacks and needles, and only these are simulated: the "
            "plan can end Saturated, but how often it detects a plateau is unknown"
        )
    counts = clusters(settings)
    return Design(tuple(at), counts["haystack"], counts["needle"])


def powers_of(design: "Design", noise: "Noise", policy: "Policy") -> "list[Power]":
    """How often `design`, which comes first, and others of its length detect a plateau."""
    from lccp.analysis.power import designs, power

    return [power(one, noise, policy) for one in designs(design)]


def show_power(powers: "Sequence[Power]") -> None:
    """Print the power of the plan (the first row) and of alternatives."""
    from lccp.analysis.power import cheapest
    from lccp_cli.console import standard_output, table_of

    table = table_of("checkpoints", "haystacks", "needles", "within 4 T", "in the end", "median")
    for one in powers:
        table.add_row(*_row(one))
    console = standard_output()
    console.print("Share of plateaus that are judged Saturated; the first row is the plan:")
    console.print(table)
    console.print(_advice(powers[0], cheapest(powers)))


def power_json(noise: "Noise", powers: "Sequence[Power]") -> str:
    """The same as JSON, with the noise that it is based on."""
    from lccp.analysis.power import cheapest
    from lccp_cli.console import json_text

    plans = [_document(one) for one in powers]
    advice = _advice(powers[0], cheapest(powers))
    return json_text({"jitter": noise.jitter, "plans": plans, "advice": advice})


def _document(one: "Power") -> dict[str, object]:
    import math

    design, median = one.design, one.median_horizons
    return {
        "checkpoints": len(design.at),
        "haystacks": design.haystacks,
        "needles": design.needles,
        "within": one.within,
        "whole": one.whole,
        "medianHorizons": median if math.isfinite(median) else None,
    }


def _row(one: "Power") -> tuple[str, ...]:
    import math

    design, median = one.design, one.median_horizons
    counts = (len(design.at), design.haystacks, design.needles)
    told = f"{median:.1f} T" if math.isfinite(median) else "never"
    return (*map(str, counts), f"{one.within:.0%}", f"{one.whole:.0%}", told)


def _advice(own: "Power", best: "Power | None") -> str:
    from lccp.analysis.power import ENOUGH

    if own.within >= ENOUGH:
        return f"The plan suffices: it detects {own.within:.0%} of plateaus within four horizons."
    if best is None:
        return (
            f"The plan detects {own.within:.0%} of plateaus within four horizons, and none of the "
            "others suffices: lower the learning rate, raise minGain, or use longer horizons."
        )
    design = best.design
    return (
        f"The plan detects {own.within:.0%} of plateaus within four horizons. Sufficient with the "
        f"fewest samples: {len(design.at)} checkpoints, {design.haystacks} haystacks, "
        f"{design.needles} needles ({best.within:.0%})."
    )
