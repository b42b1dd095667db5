"""`lccp evaluate`: the probes on any Hugging Face model directory, without a run."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from lccp.api.objects.report import EvaluationReport
    from lccp.api.spec.probes import ProbesSpec
    from lccp.probes.niah import NiahSettings
    from lccp.probes.probe import Details, HeatMaps

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
    probes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML of the probes' settings, as in spec.evaluation.probes of a manifest.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Default of lengths, depths, haystacks and needles: Quick (a look, which decides "
            "nothing), Standard or Paper. Default: Standard."
        ),
    ] = None,
    lengths: Annotated[
        str | None,
        typer.Option(
            help="Prompt lengths, such as 1K,2K,4K. Default: by the preset, up to the model's "
            "context."
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(help="Needle depths in percent, such as 0,50,100. Default: by the preset."),
    ] = None,
    haystacks: Annotated[
        int | None, typer.Option(help="Haystacks per cell. Default: by the preset.")
    ] = None,
    needles: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML list of needles (stem, key, question). Default: the needles of LCCP.",
        ),
    ] = None,
    needles_per_haystack: Annotated[
        int | None, typer.Option(help="Needles per haystack. Default: by the preset.")
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
    """Measure a model from the inside: perplexity of answers in long contexts, retrieval heads.

    Examples:

        lccp evaluate --model ./SmolLM2-135M --out smollm2 --preset Quick
        lccp evaluate --model ./ckpt --out ckpt-eval --source-context 32K --haystacks 4
    """
    from lccp_cli.console import standard_output
    from lccp_cli.manifest import check_model
    from lccp_cli.options import length

    asked = {
        "preset": preset,
        "lengths": _parts(lengths),
        "depths_percent": _parts(depths),
        "haystacks": haystacks,
        "needles": None if needles is None else _needles(needles),
        "needles_per_haystack": needles_per_haystack,
        "haystack": _haystack(haystack),
        "seed": seed,
    }
    settings = _probes(probes, {name: value for name, value in asked.items() if value is not None})
    source = None if source_context is None else length(source_context, "--source-context")
    check_model(model, "--model")
    from lccp_evaluator.local import evaluate_directory  # imports torch: validate first

    console = standard_output()
    with progress_of(console) as progress:
        report = evaluate_directory(model, out, settings, source, progress)
    for line in result_lines(report, out):
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


def _probes(file: Path | None, niah: dict[str, object]) -> "ProbesSpec":
    """Settings of all probes: those in `file`, with `niah` from options.

    Biographies are as long as the longest prompt that options ask for, and as many as haystacks.
    """
    from lccp.api.spec.probes import ProbesSpec
    from lccp.probes.bio import BioSettings
    from lccp.probes.niah import NiahSettings
    from lccp_cli.options import checked

    given = _document(file) if file else {}
    chosen = ProbesSpec.parse(given, str(file))
    asked = chosen.asked()
    if niah and "niah" in asked:
        settings = checked(NiahSettings, asked["niah"].model_dump() | niah)
        bio = asked.get("bio")
        if isinstance(bio, BioSettings) and "bio" not in given:
            asked["bio"] = bio.model_copy(update=_sizes(settings))
        asked["niah"] = settings
    return chosen.replaced(asked)


def _sizes(niah: "NiahSettings") -> dict[str, object]:
    sizes = {"lengths": niah.lengths and (max(niah.lengths),), "documents": niah.haystacks}
    return {name: value for name, value in sizes.items() if value}


def _document(path: Path) -> dict[str, object]:
    from lccp.contract.errors import InvalidInput
    from lccp_cli.manifest import documents

    match documents(path):
        case [dict() as document]:
            return document
        case _:
            raise InvalidInput(f"{path}: must be a mapping from probes to their settings")


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


def result_lines(report: "EvaluationReport", folder: Path) -> "Iterator[RenderableType]":
    """The signals, then what the probes map over lengths, from the details in `folder`."""
    from lccp.probes.probe import HeatMaps
    from lccp.probes.registry import PROBES
    from lccp.report.details import details_of

    yield _signals(report)
    for name in report.probes:
        details = details_of(report, name, lambda _, file: (folder / file).read_bytes())
        for chart in PROBES[name].charts:
            if details is not None and isinstance(chart, HeatMaps) and chart.across.values:
                yield f"\n{chart.title}: means by {chart.across.title}"
                yield _means(chart, details)
    if report.notes:
        yield "\n" + "\n".join(report.notes)


def _signals(report: "EvaluationReport") -> "Table":
    from lccp.report.text import value_text

    table = _table("signal", "value", "95 % interval", "samples")
    for signal in report.signals():
        ends = [value_text(end, signal.unit) for end in signal.interval or ()]
        value = value_text(signal.value, signal.unit)
        table.add_row(signal.title, value, " to ".join(ends), f"{signal.n:,}")
    return table


def _means(chart: "HeatMaps", details: "Details") -> "Table":
    """Means of the chart's array over what runs down, on its scale, for each value across.

    A cell without samples is left out.
    """
    import numpy as np

    from lccp.contract.signals import Scale
    from lccp.report.figures.arrays import labels
    from lccp.report.text import value_text

    values, log = np.asarray(details[chart.array], dtype=float), chart.scale is Scale.LOG
    means = np.nanmean(np.log(values) if log else values, axis=0)
    means = np.exp(means) if log else means
    table = _table(chart.across.title, chart.unit)
    for label, mean in zip(labels(chart.across, details) or [], means.tolist(), strict=True):
        table.add_row(label, value_text(mean, chart.unit))
    return table


def _table(first: str, *others: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in (first, *others):
        table.add_column(name, justify="left" if name == first else "right", no_wrap=True)
    return table
