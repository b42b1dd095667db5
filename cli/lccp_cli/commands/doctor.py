"""`lccp doctor`: what this machine has, what is missing, and whether it can carry out a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lccp_cli.machine.checks import Check


def doctor(
    manifest: Annotated[
        Path | None,
        typer.Argument(metavar="[MANIFEST]", help="YAML file with an LCCPRun to check as well."),
    ] = None,
) -> None:
    """Check this machine: Python, libraries, memory, disk, accelerators, and cluster tools.

    With a manifest: also its layout, model and documents, and whether devices, memory and disk
    suffice for it. Exit code 1 if something that `lccp run` needs is missing.

    Examples:

        lccp doctor
        lccp doctor examples/tiny/run.yaml
    """
    from rich.text import Text

    from lccp_cli.output.console import standard_output

    console = standard_output()
    found = _checks(manifest)
    for check in found:
        mark, style = ("ok", "green") if check.ok else ("missing", "red" if check.needed else "dim")
        advice = "" if check.ok else f"  ({check.advice})"
        console.print(Text.assemble((f"{mark:<8}", style), f"{check.name:<14}{check.seen}{advice}"))
    if any(check.needed and not check.ok for check in found):
        raise typer.Exit(1)


def _checks(manifest: Path | None) -> "list[Check]":
    import shutil

    from lccp_cli.machine import checks, of_run
    from lccp_cli.manifest import load_manifest
    from lccp_trainer.launch.accelerators import Accelerators, detected

    run = None if manifest is None else load_manifest(manifest)
    devices = detected()
    found = [*checks.machine(), *checks.libraries(), *checks.accelerators(devices), *checks.tools()]
    if run is not None and manifest is not None:
        free = shutil.disk_usage(Path.cwd()).free
        known = devices or Accelerators()
        found += of_run.checks(run, manifest.parent, known, checks.memory_bytes(), free)
    return found
