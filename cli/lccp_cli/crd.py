"""`lccp crd`: the CustomResourceDefinition."""

import typer


def crd() -> None:
    """Print the CustomResourceDefinition of LCCPRun.

    Examples:

        lccp crd > crds/lccpruns.lccp.io.yaml
        lccp crd | kubectl apply --server-side -f -
    """
    from lccp.api.crd import render_crd

    typer.echo(render_crd(), nl=False)
