"""`lccp report`: the self-contained page of a run."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint, RunTarget

if TYPE_CHECKING:
    from lccp.report.load import RunData


def report(
    target: RunTarget,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write. Default: report.html in the run's folder, or in the working "
            "directory for a run in a store."
        ),
    ] = None,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate",
            help="Print whether the newest checkpoint passes saturation.gate, and why, instead of "
            "a page. Exits with 0 if it does, else with 1.",
        ),
    ] = False,
    endpoint: Endpoint = None,
) -> None:
    """Write the report of a run as one HTML page that opens offline.

    Examples:

        lccp report runs/default/tiny
        lccp report s3://bucket/prefix/team/my-run --out my-run.html
        lccp report runs/default/tiny --gate && ./release.sh
    """
    from lccp.report.page.render import write_report
    from lccp_cli.output.console import say
    from lccp_cli.target import load_target

    found = load_target(target, endpoint)
    if gate:
        raise typer.Exit(0 if passed(found.data) else 1)
    path = out or (found.folder or Path()) / "report.html"
    damaged: dict[str, None] = {}
    data = replace(
        found.data,
        damaged=lambda one, name: damaged.setdefault(f"{name} at {one.tokens:,} tokens"),
    )
    typer.echo(str(write_report(data, path)))
    for details in damaged:
        say(f"lccp: {details} is missing or damaged: figures leave it out")


def passed(data: "RunData") -> bool:
    """Print the answer to the run's gate; return whether it is Yes. Raises InvalidInput."""
    from lccp.contract.errors import InvalidInput
    from lccp.report.judged import verdict_of
    from lccp_cli.output.verdict import show_gate

    found = verdict_of(data).gate
    if found is None:
        raise InvalidInput(
            f"{data.title}: saturation.gate is empty: declare the release criteria there"
        )
    show_gate(found)
    return found.answer == "Yes"
