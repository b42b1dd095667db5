"""A watched folder on the terminal: a live panel, or a line per change without a terminal."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Verdict
from lccp.report.text import duration_text, tokens_text
from lccp_cli.live.checkpoints import Note, checkpoints, left_out
from lccp_cli.output.console import checkpoint_line
from lccp_cli.progress import LINE_SECONDS
from lccp_evaluator.series.view import Show, State, Unmeasured, View

Judge = Callable[[tuple[EvaluationReport, ...]], Verdict]
FRAMES_PER_SECOND = 4
LINES_BESIDE_ROWS = 4
NOTHING = "no checkpoint yet"


@contextmanager
def watching(console: Console, heading: str, judge: Judge) -> Iterator[Show]:
    """Yield the callback that receives each view; `judge` is called when a report is new."""
    if not console.is_terminal:
        yield PlainFolderView(console, heading, judge)
        return
    shown = Panel(console, heading, judge)
    with Live(shown, console=console, refresh_per_second=FRAMES_PER_SECOND) as live:

        def show(view: View) -> None:
            shown.show(view)
            live.refresh()

        try:
            yield show
        finally:  # the table of reports follows, with the verdict
            live.update(Group(*checkpoints(None, notes(shown.view), *console.size)))


class Panel:
    """The newest view, with the time that has passed, whenever it is drawn."""

    def __init__(self, console: Console, heading: str, judge: Judge) -> None:
        self._console, self._heading, self._judged = console, heading, Judged(judge)
        self._start = time.monotonic()
        self.view = View((), ())

    def show(self, view: View) -> None:
        """Draw `view` from now on."""
        self._judged.of(view)
        self.view = view

    def __rich__(self) -> RenderableType:
        elapsed, size = time.monotonic() - self._start, self._console.size
        return panel(self.view, self._judged.verdict, self._heading, elapsed, size)


class Judged:
    """The verdict over the reports, recomputed only when they changed."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._reports: tuple[EvaluationReport, ...] = ()
        self.verdict: Verdict | None = None
        """The last one; None while there is no report."""

    def of(self, view: View) -> Verdict | None:
        """The verdict; None while there is no report."""
        if view.reports != self._reports:
            self._reports, self.verdict = view.reports, self._judge(view.reports)
        return self.verdict


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
        self._states: dict[Path, State] = {}
        """Of the checkpoints without a report, as last told."""
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
        for tokens, note in left_out(verdict) if verdict else ():
            self._tell((tokens, note), f"checkpoint {tokens}: {note}")
        self._tell_unmeasured(view.unmeasured)

    def _tell_unmeasured(self, unmeasured: tuple[Unmeasured, ...]) -> None:
        states = {one.path: one.state for one in unmeasured}
        for one in unmeasured:
            if one.state == "Evaluating":
                self._progress(one)
            elif self._states.get(one.path) != one.state:
                self._console.print(f"{one.path.name}: {one.note}")
        self._states = states

    def _progress(self, one: Unmeasured) -> None:
        if self._clock() - self._progressed >= LINE_SECONDS:
            self._progressed = self._clock()
            self._console.print(f"{one.path.name}: {one.note}")

    def _tell(self, what: object, line: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._console.print(line)


def panel(
    view: View,
    verdict: Verdict | None,
    heading: str,
    elapsed_seconds: float,
    size: ConsoleDimensions,
) -> RenderableType:
    """A row per checkpoint, in about the lines of a terminal of this `size`."""
    title = Text.assemble((f"{heading}  ", "bold"), (duration_text(elapsed_seconds), "dim"))
    if not view.reports and not view.unmeasured:
        return Group(title, Text(), Text(NOTHING, style="dim"))
    room = size.height - LINES_BESIDE_ROWS
    return Group(title, Text(), *checkpoints(verdict, notes(view), size.width, room))


def notes(view: View) -> list[Note]:
    """Tokens, and name and state, of each checkpoint without a report."""
    return [
        ("" if one.tokens is None else tokens_text(one.tokens), f"{one.path.name}: {one.note}")
        for one in view.unmeasured
    ]
