"""`lccp data prepare`: the documents of a run as tokens, before it starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.progress import Progress

    from lccp.api.spec.data import DataSource

data = typer.Typer(no_args_is_help=True)


@data.callback()
def commands() -> None:
    """The documents that a run trains on.

    Examples:

        lccp data prepare run.yaml --out tokens
    """


@data.command()
def prepare(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="YAML file that contains an LCCPRun.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Gets a folder of tokens for each source.")
    ],
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Source that is tokenized; repeatable. Default: all."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that tokenize, a file each. Default: one a core."),
    ] = None,
) -> None:
    """Tokenize the sources of a run once, so that its attempts need not.

    What an earlier try has done of the same files, with the same tokenizer, is kept. The manifest
    then names the folders, with `format: Tokens`.

    Examples:

        lccp data prepare run.yaml --out tokens
        lccp data prepare run.yaml --out /data/tokens --source books --workers 16
    """
    import os

    from rich.console import Console

    from lccp_cli.console import standard_output
    from lccp_cli.manifest import load_manifest
    from lccp_trainer.launch.tokens import prepare_sources

    run = load_manifest(manifest)
    with _bars(Console(stderr=True)) as bars:
        found = list(
            prepare_sources(
                run.spec,
                manifest.parent,
                out,
                names=source or (),
                workers=workers or os.cpu_count() or 1,
                progress=lambda source: _bar(bars, source),
            )
        )
    console = standard_output()
    for one in found:
        left_out = f", {one.left_out:,} left out" if one.left_out else ""
        console.print(
            f"{one.source.name}: {one.index.tokens:,} tokens in {one.index.documents:,} documents"
            f"{left_out}: path: {one.folder.resolve()}, format: Tokens"
        )
    if not found:
        console.print("all sources are tokens already")


def _bars(console: "Console") -> "Progress":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )


def _bar(bars: "Progress", source: "DataSource") -> "Callable[[int, int], None]":
    task = bars.add_task(source.name, total=None)
    return lambda done, total: bars.update(task, completed=done, total=total)
