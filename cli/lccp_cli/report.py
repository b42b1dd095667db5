"""`lccp report`: the self-contained page of a run."""

from pathlib import Path
from typing import Annotated

import typer

from lccp_cli.endpoint import Endpoint


def report(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's folder, a folder that holds report.json files, or "
            "<store URL>/<namespace>/<name>.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; default: report.html in the folder, or here."),
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Write the report of a run: one HTML page that opens offline.

    Examples:

        lccp report runs/default/tiny
        lccp report s3://bucket/prefix/team/my-run --out my-run.html
    """
    from lccp.report.page.render import write_report
    from lccp_cli.target import load_target

    found = load_target(target, endpoint)
    path = out or (found.folder or Path()) / "report.html"
    typer.echo(str(write_report(found.data, path)))
