"""`lccp grafana push`: write dashboards and alert rules to a Grafana."""

from typing import Annotated

import typer

from lccp_cli.arguments import Command

TOKEN_VARIABLE = "GRAFANA_TOKEN"

grafana = typer.Typer(no_args_is_help=True)


@grafana.callback()
def commands() -> None:
    """Dashboards and alert rules in a Grafana.

    Examples:

        lccp grafana push --url https://grafana.example.com
    """


@grafana.command(cls=Command)
def push(
    url: Annotated[str, typer.Option(envvar="GRAFANA_URL", help="URL of the Grafana.")],
    folder: Annotated[str, typer.Option(help="Title of the folder, if it is created.")] = "LCCP",
    alerts: Annotated[
        bool,
        typer.Option(
            help="Also write alert rules; leave them out if Prometheus has them, or both send "
            "alerts."
        ),
    ] = True,
    data_source: Annotated[
        str | None,
        typer.Option(
            metavar="UID",
            help="Data source that alert rules query. Default: the only Prometheus one, or "
            "Grafana's default if there are several.",
        ),
    ] = None,
    runbook_url: Annotated[
        str,
        typer.Option(help="URL of the folder of runbooks."),
    ] = "docs/runbooks/",
) -> None:
    """Write the folder, dashboards and alert rules that differ from those in Grafana.

    The environment variable GRAFANA_TOKEN holds the token of a service account that may write
    dashboards, folders and alert rules (Editor). Needs Grafana 11.5.2; dashboards alone, 10.

    Examples:

        GRAFANA_TOKEN=glsa_... lccp grafana push --url https://grafana.example.com
        lccp grafana push --url http://localhost:3000 --no-alerts
    """
    import os

    from lccp.contract.errors import InvalidInput
    from lccp_exporter.grafana import push as pushing
    from lccp_exporter.grafana.client import Grafana

    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise InvalidInput(f"{TOKEN_VARIABLE} is not set: set it to a Grafana token")
    client = Grafana(url, token)
    for change in pushing.push(client, folder, alerts, data_source, runbook_url):
        typer.echo(f"{change.what} {change.name}: {change.became}")
