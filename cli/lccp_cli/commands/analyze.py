"""`lccp analyze`: the verdict over any folder of reports."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lccp_cli.options import Endpoint, RunTarget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lccp.analysis.power.designs import Planned
    from lccp.analysis.trajectory import Series
    from lccp.api.objects.policy import Policy
    from lccp.api.objects.report import EvaluationReport


def analyze(
    target: RunTarget,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print the verdict, or the output of --power or --correlations, as JSON.",
        ),
    ] = False,
    horizon_tokens: Annotated[
        str | None,
        typer.Option(
            help="Tokens of training over which a gain is measured, such as 25B. Default: the "
            "run's own, else an eighth of the newest checkpoint's tokens."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Tokens that the run may train, such as 200B: the horizon is an eighth of them, "
            "and the forecast says whether they suffice."
        ),
    ] = None,
    warmup_tokens: Annotated[
        str | None,
        typer.Option(help="Tokens of warm-up: checkpoints within it are shown, but not judged."),
    ] = None,
    schedule: Annotated[
        Literal["Constant", "Decaying"] | None,
        typer.Option(
            help="Schedule of the learning rate. While it decays, no plateau can be judged."
        ),
    ] = None,
    min_gain: Annotated[
        str | None,
        typer.Option(help="Minimum gain per horizon that pays: 0.01 is 1 % of the perplexity."),
    ] = None,
    confidence: Annotated[
        str | None, typer.Option(help="One-sided confidence of a gain, such as 0.95.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Horizons that a plateau must last to count as saturated.")
    ] = None,
    power: Annotated[
        bool,
        typer.Option(
            "--power",
            help="Print which checkpoints and clusters of samples would detect a plateau of each "
            "primary signal, and answer the gate about plateaus, given each signal's own noise.",
        ),
    ] = False,
    correlations: Annotated[
        bool,
        typer.Option(
            "--correlations",
            help="Print which signals move together with those that the verdict is about.",
        ),
    ] = False,
    endpoint: Endpoint = None,
) -> None:
    """Compute the verdict over the reports of a run's checkpoints.

    Examples:

        lccp analyze runs/default/tiny
        lccp analyze reports/ --horizon-tokens 25B --min-gain 0.01
        lccp analyze reports/ --budget 200B --warmup-tokens 2B
        lccp analyze reports/ --json | jq .state
        lccp analyze runs/default/tiny --power
        lccp analyze runs/default/tiny --correlations
    """
    from lccp.analysis.correlation import correlations as correlations_of
    from lccp.analysis.verdict import judge
    from lccp.contract.errors import InvalidInput
    from lccp.report.judged import policy_of
    from lccp_cli.options import changed, trained
    from lccp_cli.output.verdict import show, show_correlations
    from lccp_cli.target import load_target

    data = load_target(target, endpoint).data
    asked = {
        "horizon_tokens": horizon_tokens,
        "min_gain": min_gain,
        "confidence": confidence,
        "patience": patience,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    newest = max((report.tokens for report in data.reports), default=0)
    policy = trained(policy_of(data), budget, warmup_tokens, schedule, newest)
    policy = changed(policy, given)
    if power and correlations:
        raise InvalidInput("--power, --correlations: exclude each other: use one at a time")
    if power:
        show_own_power(data.all_reports, policy, json)
        return
    verdict = judge(data.all_reports, policy)
    if correlations:
        show_correlations(correlations_of(verdict), json)
    elif json:
        typer.echo(verdict.to_json().decode(), nl=False)
    else:
        show(verdict)


def show_own_power(
    reports: "Sequence[EvaluationReport]", policy: "Policy", json: bool = False
) -> None:
    """Print each primary signal's noise, and the designs that would detect its plateau or answer
    the gate about plateaus.

    Raises:
        InvalidInput: none was measured often enough, or none can ever be called Saturated.
    """
    from lccp.analysis.policy import names_of
    from lccp.analysis.power.gates import gate_powers
    from lccp.analysis.power.outcomes import Simulations
    from lccp.analysis.power.plateaus import SignalPower
    from lccp.analysis.trajectory import Trajectory
    from lccp.contract.errors import InvalidInput
    from lccp.contract.signals import Role
    from lccp_cli.output.power import power_json, show_gate_power, show_power

    measured = Trajectory.from_reports(reports).series
    known = [measured[name] for name in policy.signals if name in measured]
    if not known:
        raise InvalidInput(f"{policy.signal}: was not measured, so its noise is unknown")
    simulations = Simulations(policy, lambda name: planned_if_measured(name, measured, policy))
    names = (one.signal.name for one in known)
    found = [SignalPower.of(name, simulations.required(name)) for name in names]
    guards = names_of(Role.GUARD, (series.signal for series in measured.values()), policy)
    gate, unknown = gate_powers(policy, guards, simulations.of)
    if json:
        typer.echo(power_json(found, gate, unknown))
        return
    for series, one in zip(known, found, strict=True):
        jitter = f"{one.noise.jitter:.2g}"
        typer.echo(f"{series.signal.title} jitters by {jitter} minGain between checkpoints.")
        show_power(one)
    show_gate_power(gate, unknown)


def planned_as_measured(series: "Series", policy: "Policy") -> "Planned":
    """What is planned for a measured signal, with its own noise and clusters."""
    from lccp.analysis.possible import probe_of
    from lccp.analysis.power.designs import Design, Planned
    from lccp.analysis.simulation import Noise
    from lccp.probes.registry import PROBES

    noise = Noise.of(series, policy)
    at = tuple(tokens / policy.horizon_tokens for tokens in planned(series, policy))
    counts = {kind: means.shape[1] for kind, means in series.clusters.items()}
    fixed = PROBES.fixed_clusters(probe_of(series.signal.name))
    return Planned(Design(at, counts), noise, fixed)


def planned_if_measured(
    signal: str, measured: "Mapping[str, Series]", policy: "Policy"
) -> "Planned | str":
    """The same of a signal that may not be, or why it is unknown."""
    from lccp.contract.errors import InvalidInput

    if signal not in measured:
        return f"{signal} was not measured, so its noise is unknown"
    try:
        return planned_as_measured(measured[signal], policy)
    except InvalidInput as error:
        return str(error)


def planned(series: "Series", policy: "Policy") -> list[int]:
    """Tokens of the checkpoints that are judged up to the end of the budget, if it is known.

    Raises:
        InvalidInput: none of them can ever be called Saturated.
    """
    from lccp.analysis.policy import holds_a_step
    from lccp.analysis.possible import can_saturate
    from lccp.analysis.power.designs import continued
    from lccp.contract.errors import InvalidInput

    if not policy.constant_schedule:
        raise InvalidInput(
            "--power: under a decaying learning rate a run is never judged Saturated"
        )
    if not holds_a_step(policy):
        raise InvalidInput(
            f"--power: the horizon of {policy.horizon_tokens:,} tokens is shorter than a step of "
            f"training, {policy.rounding_tokens + 1:,} tokens: give a longer --horizon-tokens"
        )
    fitted = series.tokens[series.fitted(policy.warmup_tokens)].tolist()
    checkpoints = continued(fitted, policy.budget_tokens)
    if not can_saturate(checkpoints, policy):
        raise InvalidInput(
            f"--power: with this spacing no checkpoint up to {checkpoints[-1]:,} tokens can be "
            f"judged Saturated, since the patience is {policy.patience} horizons of "
            f"{policy.horizon_tokens:,} tokens: give the budget with --budget, or a shorter "
            "--horizon-tokens"
        )
    return checkpoints
