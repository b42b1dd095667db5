"""Cost and progress of an evaluation, on the terminal."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from lccp.report.text import bytes_text, duration_text
from lccp.store.local import delete_unused, missing_folders

if TYPE_CHECKING:
    from lccp_cli.measuring import Measuring
    from lccp_evaluator.estimate import EvaluationCost
    from lccp_evaluator.progress import Done
    from lccp_evaluator.series.checkpoints import CheckpointDirectory

LINE_SECONDS = 15.0
TERA = 1e12
TRIAL_SECONDS = 8.0
REACHED_OF_PEAK = 0.4
"""Share of a device's peak reached with long prompts in bfloat16; an assumption."""


def cost_text(cost: "EvaluationCost", seconds: float | None = None) -> str:
    """The cost of an evaluation, on one line; `seconds` are those of another machine."""
    computed = 100 * cost.tokens / cost.prompt_tokens
    about = "roughly" if cost.rough and seconds is None else "about"
    return (
        f"{cost.samples:,} samples of {cost.prompt_tokens:,} tokens: {cost.passes:,} passes "
        f"compute {cost.tokens:,} of them ({computed:.0f} %), {cost.flops / TERA:.3g} TFLOP; "
        f"{about} {duration_text(cost.seconds if seconds is None else seconds)}, "
        f"{bytes_text(cost.memory_bytes)} of memory, {bytes_text(cost.disk_bytes)} on disk"
    )


def dry_run(
    checkpoints: "list[CheckpointDirectory]", out: Path, measuring: "Measuring", on: str | None
) -> None:
    """Print the cost of measuring `checkpoints` into `out` here, or `on` another device.

    On another device passes have its default size, and previous results in `out` are ignored.
    Raises InvalidInput, naming the option.
    """
    from lccp.contract.errors import InvalidInput
    from lccp.cost.flops import PEAK_FLOPS
    from lccp_cli.output.console import busy, loading, standard_output
    from lccp_cli.probes import settings_of

    if on is not None and on not in PEAK_FLOPS:
        raise InvalidInput(f"--on: must be one of {', '.join(PEAK_FLOPS)}, not {on}")
    with loading():
        from lccp_evaluator.model.execution import STEP_TOKENS
        from lccp_evaluator.series.series import EvaluationSeries
    if on is not None:
        size = measuring.batch_size or STEP_TOKENS["cuda"]
        measuring = replace(measuring, dtype=measuring.dtype or "bfloat16", batch_size=size)
    console = standard_output()
    with unmade(out if on is None else None) as folder:
        series = EvaluationSeries(folder, settings_of(measuring)())
        with busy("drawing the samples, and reading a few of them"):
            cost = series.estimate(checkpoints[0], None if on else TRIAL_SECONDS)
    there = None if on is None else cost.flops / (REACHED_OF_PEAK * PEAK_FLOPS[on])
    console.print(cost_text(cost, there))
    if len(checkpoints) > 1:
        console.print(f"This is the cost of each of the {len(checkpoints)} checkpoints.")


@contextmanager
def unmade(out: Path | None) -> "Iterator[Path]":
    """The folder `out` if it exists, else a temporary one, so that a dry run creates nothing."""
    with TemporaryDirectory(prefix="lccp-") as scratch:
        yield out if out is not None and out.exists() else Path(scratch)


@contextmanager
def made(out: Path) -> "Iterator[None]":
    """Delete the folder `out` at the end if it is new and nothing was measured into it."""
    new = missing_folders(out)
    try:
        yield
    finally:
        delete_unused(new, "failure.json", "lock")


@contextmanager
def progress_of(console: Console, what: str = "evaluating") -> "Iterator[Callable[[Done], None]]":
    """Yield the callback of `progresses` for a single evaluation, `what`."""
    with progresses(console) as progress:
        yield progress(what)


@contextmanager
def progresses(console: Console) -> "Iterator[Callable[[str], Callable[[Done], None]]]":
    """Yield what makes a callback for the progress of an evaluation, from a text shown first.

    It shows a bar, or prints a line every 15 s. The time left is estimated from the tokens still
    to be computed.
    """
    if not console.is_terminal:
        yield partial(_plain, console)
        return
    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(), TaskProgressColumn())
    with Progress(*columns, TextColumn("{task.fields[more]}"), console=console) as bars:
        yield partial(_bar, bars)


def _bar(bars: Progress, what: str) -> "Callable[[Done], None]":
    from lccp_evaluator.progress import Remaining

    remaining, task = Remaining(), bars.add_task(what, total=1.0, more="")

    def show(done: "Done") -> None:
        more = f"{done.samples} of {done.total} samples{_left(remaining.seconds(done))}"
        bars.update(task, completed=done.share, more=more)

    return show


def _plain(console: Console, what: str) -> "Callable[[Done], None]":
    from lccp_evaluator.progress import Remaining

    remaining, last = Remaining(), -math.inf

    def show(done: "Done") -> None:
        nonlocal last
        left = remaining.seconds(done)
        if done.samples == done.total or time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            line = f"{what}: {done.samples} of {done.total} samples{_left(left)}"
            console.print(line)

    return show


def _left(seconds: float | None) -> str:
    return f", {duration_text(seconds)} left" if seconds else ""
