"""`lccp doctor`: what this machine has, what is missing, and how to get it."""

import typer


def doctor() -> None:
    """Look at this machine: Python, libraries, cores, memory, disk, and tools for a cluster.

    Exit code 1 if something that `lccp run` needs is missing.

    Examples:

        lccp doctor
    """
    from rich.text import Text

    from lccp_cli.checks import checks
    from lccp_cli.console import standard_output

    console = standard_output()
    found = checks()
    for check in found:
        mark, style = ("ok", "green") if check.ok else ("missing", "red" if check.needed else "dim")
        advice = "" if check.ok else f"  ({check.advice})"
        console.print(Text.assemble((f"{mark:<8}", style), f"{check.name:<14}{check.seen}{advice}"))
    if any(check.needed and not check.ok for check in found):
        raise typer.Exit(1)
