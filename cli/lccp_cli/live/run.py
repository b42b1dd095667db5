"""A run on the terminal while it runs: a live panel, or a line per event without a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lccp.api.labels import INTRINSIC, evaluation_key
from lccp.api.objects.report import EvaluationProgress
from lccp.api.objects.training import Heartbeat
from lccp.report.text import duration_text, percent_text, tokens_text
from lccp_cli.live.checkpoints import Note, checkpoints
from lccp_cli.output.console import checkpoint_line
from lccp_operator.embedded import RunSnapshot
from lccp_operator.intents import EventReason

PROGRESS_SECONDS = 30.0
FRAMES_PER_SECOND = 4
BAR_WIDTH = 80
LINES_BESIDE_ROWS = 7
STOPPING = "Stopping: the trainer saves its state; run the same command again to resume."


@contextmanager
def watching(console: Console, heading: str) -> Iterator[Callable[[RunSnapshot], None]]:
    """Yield a callback for the engine to call with each state of the run."""
    if not console.is_terminal:
        yield PlainRunView(console, heading)
        return
    start = time.monotonic()
    with Live(console=console, refresh_per_second=FRAMES_PER_SECOND) as live:

        def show(snapshot: RunSnapshot) -> None:
            live.update(panel(snapshot, heading, time.monotonic() - start, console.size))

        yield show


class PlainRunView:
    """A line for each event and each evaluated checkpoint, and for progress every 30 s at most."""

    def __init__(
        self, console: Console, heading: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._start = clock()
        self._last_progress, self._text = -PROGRESS_SECONDS, ""
        self._told: int | None = None
        self._stopping = False
        self._store_problem = ""
        self._heading: str | None = heading

    def __call__(self, snapshot: RunSnapshot) -> None:
        if self._heading is not None:
            self._console.print(self._heading)
            self._heading = None
        self._checkpoints(snapshot)
        for event in snapshot.events:
            if event.reason is not EventReason.CHECKPOINT_EVALUATED:
                self._line(event.message)
        self._store(snapshot.store_problem)
        self._progress(snapshot)
        if snapshot.ending and not self._stopping:
            self._stopping = True
            self._line("stopping: the trainer saves its state")

    def _checkpoints(self, snapshot: RunSnapshot) -> None:
        seen = snapshot.verdict.checkpoints if snapshot.verdict else ()
        if self._told is None:
            self._told = max(0, len(seen) - 1)
            if self._told:
                self._line(f"{self._told} checkpoints were evaluated earlier; the newest:")
        for checkpoint in seen[self._told :]:
            assert snapshot.verdict is not None
            self._line(checkpoint_line(checkpoint, snapshot.verdict))
        self._told = len(seen)

    def _store(self, problem: str) -> None:
        if problem != self._store_problem:
            self._line(problem or "the store can be used again")
        self._store_problem = problem

    def _progress(self, snapshot: RunSnapshot) -> None:
        now = self._clock() - self._start
        text = progress_text(snapshot)
        if text not in ("", self._text) and now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress, self._text = now, text
            self._line(text)

    def _line(self, text: str) -> None:
        minutes, seconds = divmod(int(self._clock() - self._start), 60)
        self._console.print(f"{minutes:02d}:{seconds:02d}  {text}")


def panel(
    snapshot: RunSnapshot, heading: str, elapsed_seconds: float, size: ConsoleDimensions
) -> RenderableType:
    """The run's progress and its checkpoints, in about the lines of a terminal of this `size`."""
    room = size.height - LINES_BESIDE_ROWS
    summary = snapshot.run.status.summary if snapshot.run.status else "Pending"
    title = Text.assemble(
        (f"{heading}  ", "bold"), (f"{summary.lower()}, {duration_text(elapsed_seconds)}", "dim")
    )
    lines: list[RenderableType] = [title, Text(), *_training(snapshot), Text()]
    lines += checkpoints(snapshot.verdict, list(_unfinished(snapshot)), size.width, room)
    lines += [Text(message, style="yellow") for message in _warnings(snapshot)]
    return Group(*lines)


def progress_text(snapshot: RunSnapshot) -> str:
    """The training's progress in one line; empty before the first step."""
    beat = snapshot.heartbeat
    if beat is None or not beat.tokens:
        return ""
    share = percent_text(beat.tokens / beat.tokens_total)
    done = f"{tokens_text(beat.tokens)} of {tokens_text(beat.tokens_total)} tokens, {share}"
    return ", ".join((done, *_details(beat)))


def _details(beat: Heartbeat) -> Iterator[str]:
    if beat.loss is not None:
        yield f"loss {beat.loss:.3f}"
    if beat.tokens_per_second:
        yield f"{tokens_text(beat.tokens_per_second)} tokens/s"
        left = (beat.tokens_total - beat.tokens) / beat.tokens_per_second
        if left > 0 and beat.phase != "Ending":
            yield f"at most {duration_text(left)} left"


def _training(snapshot: RunSnapshot) -> Iterator[RenderableType]:
    beat = snapshot.heartbeat
    if beat is None or not beat.tokens:
        yield Text("starting the trainer", style="dim")
        return
    bar = ProgressBar(
        total=beat.tokens_total,
        completed=beat.tokens,
        width=BAR_WIDTH,
        complete_style="blue",
        finished_style="green",
    )
    lines = Table.grid()
    lines.add_row(bar)
    lines.add_row(Text(progress_text(snapshot)))
    yield lines


def _unfinished(snapshot: RunSnapshot) -> Iterator[Note]:
    """Checkpoints without a report: tokens, and the state of their evaluation."""
    outcomes = snapshot.facts.journal.evaluations
    judged = {c.tokens for c in snapshot.verdict.checkpoints} if snapshot.verdict else set()
    for tokens in sorted(set(snapshot.facts.checkpoints) - judged):
        outcome = outcomes.get(evaluation_key(tokens, INTRINSIC))
        if outcome is not None and outcome.result == "Failed":
            yield tokens_text(tokens), f"evaluation failed: {outcome.message}"
        else:
            yield tokens_text(tokens), _evaluation(snapshot.evaluating.get((tokens, INTRINSIC)))


def _evaluation(progress: EvaluationProgress | None) -> str:
    if progress is None or not progress.total:
        return "waiting for evaluation"
    left = progress.remaining_seconds
    rest = "" if left is None else f", {duration_text(left)} left"
    return f"evaluating: {percent_text(progress.done / progress.total)}{rest}"


def _warnings(snapshot: RunSnapshot) -> Iterator[str]:
    if snapshot.ending:
        yield STOPPING
    if snapshot.store_problem:
        yield snapshot.store_problem
    failed = [a for a in snapshot.facts.journal.attempts if a.counted]
    if failed:
        yield f"attempt {failed[-1].number} {failed[-1].message}"
