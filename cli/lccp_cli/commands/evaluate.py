"""`lccp evaluate`: the probes on any Hugging Face model directory, without a run."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from lccp.api.objects.report import EvaluationReport
    from lccp.api.spec.evaluation import ProbesSpec

LINE_SECONDS = 15.0


def evaluate(
    model: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory of a Hugging Face causal language model.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder for report.json and its arrays; samples already there are reused.",
        ),
    ],
    lengths: Annotated[
        str | None,
        typer.Option(
            help="Prompt lengths, such as 1K,2K,4K. Default: eight, up to the model's context."
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(
            help="Needle depths in percent, such as 0,50,100. Default: eleven, from 0 to 100."
        ),
    ] = None,
    haystacks: Annotated[int | None, typer.Option(help="Haystacks per cell. Default: 10.")] = (
        None
    ),
    needles: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML list of needles (stem, key, question). Default: the needles of LCCP.",
        ),
    ] = None,
    needles_per_haystack: Annotated[
        int | None, typer.Option(help="Needles per haystack. Default: 2.")
    ] = None,
    haystack: Annotated[
        Path | None,
        typer.Option(help="Documents to hide the needles in: .jsonl, .jsonl.gz, or text files."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the samples. Default: 0.")] = None,
    source_context: Annotated[
        str | None,
        typer.Option(
            help="Context length before the extension; longer prompts form the extension band. "
            "Default: the model's own context length."
        ),
    ] = None,
) -> None:
    """Measure a model's NIAH score, NIAH-PPL and retrieval heads, with one pass per sample.

    Examples:

        lccp evaluate --model ./SmolLM2-135M --out smollm2 --lengths 512,1K,2K
        lccp evaluate --model ./ckpt --out ckpt-eval --source-context 32K --haystacks 4
    """
    from lccp_cli.console import standard_output
    from lccp_cli.manifest import check_model
    from lccp_cli.options import length

    asked = {
        "lengths": _parts(lengths),
        "depths_percent": _parts(depths),
        "haystacks": haystacks,
        "needles": None if needles is None else _needles(needles),
        "needles_per_haystack": needles_per_haystack,
        "haystack": _haystack(haystack),
        "seed": seed,
    }
    probes = _probes({name: value for name, value in asked.items() if value is not None})
    source = None if source_context is None else length(source_context, "--source-context")
    check_model(model, "--model")
    from lccp_evaluator.local import evaluate_directory  # imports torch: validate first

    console = standard_output()
    with progress_of(console) as progress:
        report = evaluate_directory(model, out, probes, source, progress)
    for line in result_lines(report):
        console.print(line)
    console.print(f"\nReport: {out / 'report.json'}\nNext:   lccp report {out}", markup=False)


def _parts(text: str | None) -> list[int | str] | None:
    """`1K, 512` as ["1K", 512], the list that a manifest would have."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    return [int(part) if part.isdecimal() else part for part in parts]


def _needles(path: Path) -> list[object]:
    from lccp.contract.errors import InvalidInput
    from lccp_cli.manifest import documents

    match documents(path):
        case [[*needles]]:
            return needles
        case _:
            raise InvalidInput(f"{path}: must be a list of needles (stem, key, question)")


def _haystack(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    jsonl = path.name.removesuffix(".gz").endswith(".jsonl")
    return {"path": str(path.absolute()), "format": "JSONL" if jsonl else "Text"}


def _probes(given: dict[str, object]) -> "ProbesSpec":
    from lccp.api.spec.evaluation import NiahProbe, ProbesSpec
    from lccp_cli.options import checked

    return ProbesSpec(niah=checked(NiahProbe, given))


@contextmanager
def progress_of(console: "Console") -> "Iterator[Callable[[int, int], None]]":
    """Yield the callback that takes samples done and their number: a bar, or a line every 15 s."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (TextColumn("evaluating"), BarColumn(), MofNCompleteColumn(), TextColumn("samples,"))
    with Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=console) as bar:
        task = bar.add_task("evaluating", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(console: "Console") -> "Callable[[int, int], None]":
    last = -math.inf

    def show(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            console.print(f"{done} of {total} samples evaluated", markup=False)

    return show


def result_lines(report: "EvaluationReport") -> "Iterator[RenderableType]":
    """PPL and score by length and by band, and the number of retrieval heads."""
    from rich.table import Table

    from lccp.report.text import length_text

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in ("length", "NIAH-PPL", "NIAH score", "exact", "samples"):
        table.add_column(name, justify="right", no_wrap=True)
    cells = report.probes.niah.cells
    for length in sorted({cell.length for cell in cells}):
        row = [cell for cell in cells if cell.length == length]
        ppl = math.exp(fmean(cell.nll for cell in row))
        scores = (fmean(cell.score for cell in row), fmean(cell.exact for cell in row))
        samples = sum(cell.samples for cell in row)
        table.add_row(length_text(length), *_texts(ppl, *scores), str(samples))
    for name, band in report.probes.niah.bands.items():
        table.add_row(name, *_texts(band.ppl, band.score, band.exact), str(band.samples))
    yield table
    heads = report.probes.retrieval_heads
    if heads is not None:
        low, high = heads.heads_interval
        total = sum(len(layer) for layer in heads.scores)
        yield f"retrieval heads: {heads.heads} of {total} (95 % interval {low} to {high})"


def _texts(ppl: float, score: float, exact: float) -> tuple[str, str, str]:
    return f"{ppl:.4f}", f"{score:.3f}", f"{exact:.3f}"
