"""`lccp-operator`: the control plane of a cluster."""

import gc
import logging
import os
import sys
from typing import Annotated

import typer

from lccp.api.exits import ExitCode
from lccp.contract.errors import LccpError
from lccp.logs import FORMAT_VARIABLE, LEVEL_VARIABLE, LogFormat, configure
from lccp.signals import end_on_sigterm

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def operate(
    port: Annotated[
        int, typer.Option(help="Port of /metrics, /healthz, /readyz and /stores.")
    ] = 8080,
    log_format: Annotated[
        LogFormat,
        typer.Option(envvar=FORMAT_VARIABLE, help="auto: text on a terminal, else JSON."),
    ] = LogFormat.AUTO,
    log_level: Annotated[
        str, typer.Option(envvar=LEVEL_VARIABLE, help="DEBUG, INFO, WARNING or ERROR.")
    ] = "INFO",
) -> None:
    """Reconcile the LCCPRun objects of the cluster that it runs in, or the one in KUBECONFIG.

    LCCP_INSTALLATION names the file that describes the installation; the chart mounts it.

    Examples:

        lccp-operator --port 8080
    """
    from lccp_operator.kubernetes.installation import Installation
    from lccp_operator.kubernetes.serve import serve

    configure(log_format, log_level)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    _spare_collections()
    serve(Installation.load(os.environ), port)


def _spare_collections() -> None:
    """Collect garbage rarely, and never imported objects: it took 8 % of the operator's CPU."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def main() -> None:
    """Entry point: bad input ends with one sentence and exit code 2."""
    end_on_sigterm(ExitCode.OK)
    try:
        app()
    except LccpError as error:
        print(error, file=sys.stderr)
        sys.exit(ExitCode.USAGE)
