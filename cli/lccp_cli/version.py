"""`lccp version`: what is installed."""

import typer

DISTRIBUTIONS = ("torch", "transformers", "deepspeed", "kopf", "kubernetes", "plotly")


def version() -> None:
    """Print the versions of LCCP, Python, and what numbers depend on.

    Examples:

        lccp version
    """
    import platform

    from lccp import __version__
    from lccp_cli.installed import version_of

    typer.echo(f"lccp {__version__}")
    typer.echo(f"python {platform.python_version()}")
    for name in DISTRIBUTIONS:
        typer.echo(f"{name} {version_of(name) or 'not installed'}")
