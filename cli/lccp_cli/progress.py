"""How far an evaluation is, on the terminal."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS = 15.0


@contextmanager
def progress_of(console: Console, what: str = "evaluating") -> Iterator[Callable[[int, int], None]]:
    """Yield the callback that takes samples done and their number: a bar, or a line every 15 s.

    `what` begins it.
    """
    if not console.is_terminal:
        yield _plain(console, what)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("samples,"),
    )
    with Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=console) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(console: Console, what: str) -> Callable[[int, int], None]:
    last = -math.inf

    def show(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            console.print(f"{what}: {done} of {total} samples", markup=False)

    return show
