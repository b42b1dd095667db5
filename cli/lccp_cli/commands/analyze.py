"""`lccp analyze`: the verdict over any folder of reports."""

from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lccp.api.objects.policy import Policy
    from lccp.api.objects.verdict import Verdict


def analyze(
    target: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="Folder that contains report.json files at any depth, a run's folder, or "
            "<store URL>/<namespace>/<name>.",
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    horizon_tokens: Annotated[
        str | None,
        typer.Option(
            help="Tokens of training over which a gain is measured, such as 25B. Default: the "
            "run's own, else an eighth of the newest checkpoint's tokens."
        ),
    ] = None,
    min_gain: Annotated[
        str | None,
        typer.Option(help="Smallest gain per horizon that pays: 0.01 is 1 % of the perplexity."),
    ] = None,
    confidence: Annotated[
        str | None, typer.Option(help="One-sided confidence of a gain, such as 0.95.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Horizons that a plateau must last to count as saturated.")
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Compute the verdict over the reports of a run's checkpoints.

    Examples:

        lccp analyze runs/default/tiny
        lccp analyze reports/ --horizon-tokens 25B --min-gain 0.01
        lccp analyze reports/ --json | jq .state
    """
    from lccp.analysis.verdict import judge
    from lccp.report.judged import policy_of
    from lccp_cli.commands.report import load_target

    data = load_target(target, endpoint).data
    asked = {
        "horizon_tokens": horizon_tokens,
        "min_gain": min_gain,
        "confidence": confidence,
        "patience": patience,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    verdict = judge(data.reports, changed(policy_of(data), given))
    if json:
        typer.echo(verdict.to_json().decode(), nl=False)
    else:
        show(verdict)


def changed(policy: "Policy", given: "Mapping[str, object]") -> "Policy":
    """`policy` with the given options, validated as in a manifest."""
    from lccp.api.spec.saturation import SaturationSpec
    from lccp_cli.options import checked

    spec = checked(SaturationSpec, given)
    update = {name: getattr(spec, name) for name in given}
    if "horizon_tokens" in update:
        update["horizon_source"] = "Given"
    return policy.model_copy(update=update)


def show(verdict: "Verdict") -> None:
    """Print the checkpoints as a table, the verdict, its evidence, and what to do."""
    from lccp.report.summary import forecast_sentence, verdict_sentence
    from lccp_cli.console import checkpoint_table, standard_output

    console = standard_output()
    console.print(checkpoint_table(verdict))
    console.print()
    console.print(verdict_sentence(verdict), style="bold")
    for sentence in (*verdict.evidence, forecast_sentence(verdict.forecast)):
        if sentence:
            console.print(f"  {sentence}")
    for exclusion in verdict.excluded:
        console.print(f"  Left out: {exclusion.reason}", style="yellow")
    console.print(verdict.advice)
