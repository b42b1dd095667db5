"""A watched folder on the terminal: a live panel, or a line per change without a terminal."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Verdict
from lccp.report.text import duration_text, tokens_text
from lccp_cli.output.console import checkpoint_line, checkpoint_table
from lccp_cli.progress import LINE_SECONDS
from lccp_evaluator.series.view import Show, Unmeasured, View

Judge = Callable[[tuple[EvaluationReport, ...]], Verdict]
LINES_BESIDE_ROWS = 6
ROWS_MIN = 4
NOTHING = "no checkpoint yet"


@contextmanager
def watching(console: Console, heading: str, judge: Judge) -> Iterator[Show]:
    """Yield the callback that receives each view; `judge` is called when a report is new."""
    if not console.is_terminal:
        yield PlainFolderView(console, heading, judge)
        return
    start, judged = time.monotonic(), Judged(judge)
    with Live(console=console, refresh_per_second=4) as live:

        def show(view: View) -> None:
            elapsed = time.monotonic() - start
            live.update(panel(view, judged.of(view), heading, elapsed, console.height))

        yield show


class Judged:
    """The verdict over the reports, recomputed only when they changed."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._reports: tuple[EvaluationReport, ...] = ()
        self._verdict: Verdict | None = None

    def of(self, view: View) -> Verdict | None:
        """The verdict; None while there is no report."""
        if view.reports != self._reports:
            self._reports, self._verdict = view.reports, self._judge(view.reports)
        return self._verdict


class PlainFolderView:
    """A line for each new report, and when the state of a checkpoint without one changes.

    While one is evaluated, a line with its progress every 15 s.
    """

    def __init__(
        self,
        console: Console,
        heading: str,
        judge: Judge,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._clock = console, clock
        self._judged = Judged(judge)
        self._told: set[object] = set()
        self._heading = heading
        self._progressed = -math.inf
        """When progress was last told."""

    def __call__(self, view: View) -> None:
        self._tell(self._heading, self._heading)
        if not view.reports and not view.unmeasured:
            self._tell(NOTHING, NOTHING)
        verdict = self._judged.of(view)
        digests = {report.tokens: report.checkpoint_digest for report in view.reports}
        for checkpoint in verdict.checkpoints if verdict else ():
            assert verdict is not None
            told = checkpoint.tokens, digests.get(checkpoint.tokens)
            self._tell(told, checkpoint_line(checkpoint, verdict))
        for one in view.unmeasured:
            if one.state == "Evaluating":
                self._progress(one)
            else:
                self._tell((one.path, one.state), f"{one.path.name}: {one.note}")

    def _progress(self, one: Unmeasured) -> None:
        if self._clock() - self._progressed >= LINE_SECONDS:
            self._progressed = self._clock()
            self._console.print(f"{one.path.name}: {one.note}")

    def _tell(self, what: object, line: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._console.print(line)


def panel(
    view: View, verdict: Verdict | None, heading: str, elapsed_seconds: float, height: int
) -> RenderableType:
    """A row per checkpoint, in at most `height` lines."""
    title = Text.assemble((f"{heading}  ", "bold"), (duration_text(elapsed_seconds), "dim"))
    more = [row(one) for one in view.unmeasured][-max(ROWS_MIN, height // 2) :]
    room = max(ROWS_MIN, height - LINES_BESIDE_ROWS - len(more))
    if not view.reports and not more:
        return Group(title, Text(), Text(NOTHING, style="dim"))
    return Group(title, Text(), checkpoint_table(verdict, more, room))


def row(one: Unmeasured) -> tuple[str, str]:
    """Tokens, and name and state, of a checkpoint without a report."""
    return "" if one.tokens is None else tokens_text(one.tokens), f"{one.path.name}: {one.note}"
