"""`lccp data prepare`, `lccp data check`: the documents of a run, before it starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.arguments import Command
from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from lccp.api.run import LCCPRunSpec
    from lccp.api.spec.data import DataSource
    from lccp_trainer.launch.survey import Survey
    from lccp_trainer.launch.tokens import Prepared

data = typer.Typer(no_args_is_help=True)


@data.callback()
def commands() -> None:
    """The documents that a run trains on.

    Examples:

        lccp data prepare run.yaml --out tokens
        lccp data check run.yaml
    """


Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that tokenize, one file each. Default: one per core."),
]


@data.command(cls=Command)
def prepare(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="YAML file that contains an LCCPRun.")
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|s3://BUCKET/PREFIX",
            help="Destination, which gets a folder of tokens for each source.",
        ),
    ],
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Source to tokenize; repeatable. Default: all."),
    ] = None,
    workers: Workers = None,
    endpoint: Endpoint = None,
) -> None:
    """Tokenize the sources of a run once, so that its attempts need not.

    Finished files of an earlier try with the same tokenizer are kept. Then name the folders in the
    manifest, with `format: Tokens`.

    Examples:

        lccp data prepare run.yaml --out tokens
        lccp data prepare run.yaml --out /data/tokens --source books --workers 16
        lccp data prepare run.yaml --out s3://bucket/tokens --endpoint https://s3.example.org
    """
    from lccp_cli.manifest import fetched, load_manifest
    from lccp_cli.output.console import standard_output
    from lccp_trainer.launch.tokens import Destination

    destination = Destination(out, endpoint)
    spec = fetched(load_manifest(manifest).spec, endpoint)
    found = _prepared(spec, manifest.parent, destination.folder, source or (), workers)
    console = standard_output()
    for one in found:
        left_out = f", {one.left_out:,} left out" if one.left_out else ""
        console.print(
            f"{one.source.name}: {one.index.tokens:,} tokens in {one.index.documents:,} documents"
            f"{left_out}: path: {destination.put(one)}, format: Tokens"
        )
    destination.leave()
    if not found:
        console.print("all sources are already tokenized")


@data.command(cls=Command)
def check(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="YAML file that contains an LCCPRun.")
    ],
    tokens: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that `lccp data prepare --out` wrote; missing files are added. Default: "
            "tokenize only for this check.",
        ),
    ] = None,
    workers: Workers = None,
    endpoint: Endpoint = None,
) -> None:
    """Check the documents of a run: lengths, epochs, duplicates, overlap with the evaluation.

    All tokens are read three times: for equal documents, for nearly equal ones, and for overlap.

    Examples:

        lccp data check run.yaml
        lccp data check run.yaml --tokens /data/tokens
    """
    from tempfile import TemporaryDirectory

    from lccp.contract.errors import InvalidInput
    from lccp_cli.manifest import fetched, load_manifest
    from lccp_trainer.launch.survey import survey

    if tokens is not None and not tokens.is_dir():
        raise InvalidInput(f"--tokens: there is no folder {tokens}")
    spec = fetched(load_manifest(manifest).spec, endpoint)
    with TemporaryDirectory(prefix="lccp-data-") as scratch:
        found = _prepared(spec, manifest.parent, tokens or Path(scratch), (), workers)
        folders = {one.source.name: one.folder for one in found}
        _show(survey(spec, manifest.parent, folders), spec.mixture.max_epochs)


def _prepared(
    spec: "LCCPRunSpec", base: Path, out: Path, names: "Sequence[str]", workers: int | None
) -> "list[Prepared]":
    """Tokenize what is not tokenized yet, with a bar for each source on a terminal."""
    import os

    from rich.console import Console

    from lccp_trainer.launch.tokens import prepare_sources

    with _bars(Console(stderr=True)) as bars:
        return list(
            prepare_sources(
                spec,
                base,
                out,
                names=names,
                workers=workers or os.cpu_count() or 1,
                progress=lambda source: _bar(bars, source),
            )
        )


def _bars(console: "Console") -> "Progress":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    )


def _bar(bars: "Progress", source: "DataSource") -> "Callable[[int, int], None]":
    task = bars.add_task(source.name, total=None)
    return lambda done, total: bars.update(task, completed=done, total=total)


def _show(survey: "Survey", max_epochs: float) -> None:
    """Print the tables, and anything unusual."""
    from lccp_cli.output.console import print_table, standard_output

    console = standard_output()
    for table in (_sources(survey), _lengths(survey), _bands(survey), _overlaps(survey)):
        if table.row_count:
            print_table(console, table)
            console.print()
    known = zip(survey.sources, survey.repeated, survey.nearly, strict=True)
    for source, repeated, nearly in known:
        if repeated.example:
            console.print(f"{source.name}: {repeated.example}")
        if nearly.example:
            console.print(f"{source.name}: nearly, {nearly.example}")
        if source.epochs > max_epochs:
            console.print(
                f"{source.name}: is read {source.epochs:.3g} times, and data.maxEpochs is "
                f"{max_epochs:g}: give it more documents, or train on fewer tokens"
            )


def _sources(survey: "Survey") -> "Table":
    from lccp.report.text import tokens_text

    columns = ("documents", "tokens", "used", "share of the run", "epochs", "repeated", "nearly")
    table = _table("source", *columns)
    known = zip(survey.sources, survey.repeated, survey.nearly, strict=True)
    for source, *again in known:
        table.add_row(
            source.name,
            f"{source.documents:,}",
            tokens_text(source.tokens),
            _percent(source.used_share),
            _percent(source.share),
            f"{source.epochs:.3g}",
            *(f"{one.documents:,} ({_percent(one.tokens / source.tokens)})" for one in again),
        )
    return table


def _lengths(survey: "Survey") -> "Table":
    table = _table("tokens of a document", "minimum", "median", "95 % up to", "longest")
    for source in survey.sources:
        lengths = (source.minimum, source.median, source.percentile_95, source.longest)
        table.add_row(source.name, *(f"{length:,}" for length in lengths))
    return table


def _bands(survey: "Survey") -> "Table":
    table = _table("positions in a document", "share of the tokens")
    for band in survey.bands:
        table.add_row(f"{band.start:,} to {band.end - 1:,}", _percent(band.share))
    return table


def _overlaps(survey: "Survey") -> "Table":
    columns = ("documents", "13-grams", "found in the sources", "documents half found")
    table = _table("text of the evaluation", *columns)
    for field, overlap in survey.overlaps.items():
        table.add_row(
            field,
            f"{overlap.documents:,}",
            f"{overlap.ngrams:,}",
            _percent(overlap.share),
            f"{overlap.documents_found:,}",
        )
    return table


def _table(first: str, *others: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in (first, *others):
        table.add_column(name, justify="left" if name == first else "right", no_wrap=True)
    return table


def _percent(share: float) -> str:
    """`12.3 %`; a share above 0 is never shown as 0."""
    return "< 0.1 %" if 0 < share < 0.001 else f"{100 * share:.3g} %"
