"""`lccp grafana push`: dashboards and alert rules into a Grafana."""

from typing import Annotated

import typer

TOKEN_VARIABLE = "GRAFANA_TOKEN"

grafana = typer.Typer(no_args_is_help=True)


@grafana.callback()
def commands() -> None:
    """Dashboards and alert rules in a Grafana.

    Examples:

        lccp grafana push --url https://grafana.example.com
    """


@grafana.command()
def push(
    url: Annotated[str, typer.Option(envvar="GRAFANA_URL", help="Address of the Grafana.")],
    folder: Annotated[str, typer.Option(help="Title of the folder, where it is new.")] = "LCCP",
    alerts: Annotated[
        bool,
        typer.Option(
            help="Alert rules as well: leave them out where Prometheus has them, or both alert."
        ),
    ] = True,
    data_source: Annotated[
        str | None,
        typer.Option(
            metavar="UID",
            help="Data source that alert rules ask. Default: the only one of Prometheus, or of "
            "several the default.",
        ),
    ] = None,
    runbook_url: Annotated[
        str,
        typer.Option(help="Where the runbooks are served, with the slash at its end."),
    ] = "docs/runbooks/",
) -> None:
    """Write folder, dashboards and alert rules where they differ from what Grafana has.

    The environment variable GRAFANA_TOKEN holds the token of a service account that may write
    dashboards, folders and alert rules (Editor). Grafana 11.5.2 or newer; dashboards: 10 or newer.

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
        raise InvalidInput(f"{TOKEN_VARIABLE} is not set: it must hold a token of Grafana's")
    client = Grafana(url, token)
    for change in pushing.push(client, folder, alerts, data_source, runbook_url):
        typer.echo(f"{change.what} {change.name}: {change.became}")
