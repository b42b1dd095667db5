"""`lccp-operator`: the control plane of a cluster."""

import gc
import logging
import os
import sys

import typer

from lccp.api.exits import ExitCode
from lccp.contract.errors import LccpError
from lccp_operator.logs import configure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

EXAMPLES = """
Reconciles LCCPRun objects of the cluster that it runs in, or that KUBECONFIG names.

Examples:

    lccp-operator                               # in a pod, as the chart starts it

    LCCP_INSTALLATION=installation.yaml KUBECONFIG=~/.kube/config lccp-operator --log-format console
"""


@app.command(help=EXAMPLES)
def operate(
    port: int = typer.Option(8080, help="Port of /metrics, /healthz and /readyz."),
    log_format: str = typer.Option("json", help="json or console."),
    log_level: str = typer.Option("INFO", help="DEBUG, INFO, WARNING or ERROR."),
) -> None:
    from lccp_operator.kubernetes.installation import Installation
    from lccp_operator.kubernetes.serve import serve

    configure(log_format, log_level)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    _spare_collections()
    serve(Installation.load(os.environ), port)


def _spare_collections() -> None:
    """Collect garbage seldom, and never what was imported: it took 8 % of the operator's CPU."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def main() -> None:
    """Entry point: bad input ends with one sentence and exit code 2."""
    try:
        app()
    except LccpError as error:
        print(error, file=sys.stderr)
        sys.exit(ExitCode.USAGE)
