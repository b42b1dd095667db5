"""`lccp plan`: what the checkpoints of a run, and the samples at each, can decide."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
            help="Guessed noise between checkpoints, in units of minGain: its standard deviation. "
            "lccp analyze --power takes that of a run.",
        ),
    ] = 0.3,
) -> None:
    """Say whether a plan can see a plateau, and which haystacks, needles and checkpoints would.

    Ends with 1 where no checkpoint of the plan can ever be called Saturated.

    Examples:

        lccp plan examples/tiny/run.yaml
        lccp plan my-run.yaml --jitter 0.6
    """
    from lccp.analysis.policy import policy_of_run
    from lccp.analysis.possible import obstacle
    from lccp.analysis.power import Noise
    from lccp_cli.manifest import load_manifest

    run = load_manifest(manifest)
    problem = obstacle(run)
    if problem:
        typer.echo(f"Never Saturated: {problem}.")
        raise typer.Exit(1)
    policy = policy_of_run(run)
    typer.echo(f"A guess: checkpoints jitter by {jitter:g} minGain, clusters as in the demo.")
    show_power(planned(run, policy), Noise.stated(jitter), policy)


def planned(run: "LCCPRun", policy: "Policy") -> "Design":
    """The checkpoints that are judged, with the haystacks and needles of NIAH.

    Raises:
        InvalidInput: the leading signal has none.
    """
    from lccp.analysis.possible import probe_of
    from lccp.analysis.power import Design
    from lccp.contract.errors import InvalidInput
    from lccp.probes.niah import NiahSettings, clusters

    due = run.spec.checkpoints.due(run.spec.training.tokens)
    at = [t / policy.horizon_tokens for t in due if t > policy.warmup_tokens]
    settings = run.spec.evaluation.probes.asked().get(probe_of(policy.signal) or "")
    if not isinstance(settings, NiahSettings):
        raise InvalidInput(
            f"{policy.signal}: has no haystacks and needles, and only these are simulated: the "
            "plan can end Saturated, but how often it sees a plateau is not known"
        )
    counts = clusters(settings)
    return Design(tuple(at), counts["haystack"], counts["needle"])


def show_power(design: "Design", noise: "Noise", policy: "Policy") -> None:
    """Print how often a plateau is seen by `design`, the first row, and by others of its length."""
    from rich.table import Table

    from lccp.analysis.power import cheapest, designs, power
    from lccp_cli.console import standard_output

    powers = [power(one, noise, policy) for one in designs(design)]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in ("checkpoints", "haystacks", "needles", "within 4 T", "in the end", "median"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in powers:
        table.add_row(*_row(one))
    console = standard_output()
    console.print("Plateaus that are called Saturated; the first row is the plan:")
    console.print(table)
    console.print(_advice(powers[0], cheapest(powers)))


def _row(one: "Power") -> tuple[str, ...]:
    import math

    design, median = one.design, one.median_horizons
    counts = (len(design.at), design.haystacks, design.needles)
    told = f"{median:.1f} T" if math.isfinite(median) else "never"
    return (*map(str, counts), f"{one.within:.0%}", f"{one.whole:.0%}", told)


def _advice(own: "Power", best: "Power | None") -> str:
    from lccp.analysis.power import ENOUGH

    if own.within >= ENOUGH:
        return f"The plan is enough: it sees {own.within:.0%} of plateaus within four horizons."
    if best is None:
        return (
            f"The plan sees {own.within:.0%} of plateaus within four horizons, and no other of "
            "these is enough: lower the learning rate, raise minGain, or take longer horizons."
        )
    design = best.design
    return (
        f"The plan sees {own.within:.0%} of plateaus within four horizons. What would do with the "
        f"fewest samples: {len(design.at)} checkpoints, {design.haystacks} haystacks, "
        f"{design.needles} needles ({best.within:.0%})."
    )
