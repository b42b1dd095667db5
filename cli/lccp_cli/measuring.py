"""What `lccp evaluate` shows: a progress bar while it works, and a short table at the end."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lccp.api.objects.report import EvaluationReport
from lccp.report.text import length_text

LINE_SECONDS = 15.0


@contextmanager
def measuring(console: Console) -> Iterator[Callable[[int, int], None]]:
    """What the evaluator is to call with samples done and all: a bar, or a line now and then."""
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TextColumn("samples,"))
    with Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=console) as bar:
        task = bar.add_task("measuring", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(console: Console) -> Callable[[int, int], None]:
    last = -math.inf

    def show(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            console.print(f"measured {done} of {total} samples", markup=False)

    return show


def result_lines(report: EvaluationReport) -> Iterator[RenderableType]:
    """PPL and score by length and by band, and the heads."""
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
