"""A run as the terminal shows it while it works: live on a terminal, else a line per event."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from lccp.report.words import STATE_WORDS
from lccp_cli.console import values_text
from lccp_cli.panel import panel, progress_text
from lccp_operator.embedded import Look
from lccp_operator.intents import EventReason

PROGRESS_SECONDS = 30.0
FRAMES_PER_SECOND = 4


@contextmanager
def watching(console: Console, heading: str) -> Iterator[Callable[[Look], None]]:
    """What the engine is to call with each look."""
    if not console.is_terminal:
        yield PlainView(console, heading)
        return
    start = time.monotonic()
    with Live(console=console, refresh_per_second=FRAMES_PER_SECOND) as live:

        def show(look: Look) -> None:
            live.update(panel(look, heading, time.monotonic() - start, console.height))

        yield show


class PlainView:
    """One line for each event, for each evaluated checkpoint, and for progress now and then."""

    def __init__(
        self, console: Console, heading: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._start = clock()
        self._last_progress, self._text = -PROGRESS_SECONDS, ""
        self._told: int | None = None
        self._ending = False
        console.print(heading, markup=False)

    def __call__(self, look: Look) -> None:
        self._checkpoints(look)
        for event in look.events:
            if event.reason is not EventReason.CHECKPOINT_EVALUATED:
                self._line(event.message)
        self._progress(look)
        if look.ending and not self._ending:
            self._ending = True
            self._line("ending: the trainer saves its state")

    def _checkpoints(self, look: Look) -> None:
        seen = look.verdict.checkpoints if look.verdict else ()
        if self._told is None:
            self._told = max(0, len(seen) - 1)
            if self._told:
                self._line(f"measured before: {self._told} checkpoints, and the newest:")
        for checkpoint in seen[self._told :]:
            tokens, score, ppl, heads, gain = values_text(checkpoint)
            self._line(
                f"checkpoint {tokens}: NIAH score {score}, NIAH-PPL {ppl}, {heads} retrieval "
                f"heads, gain {gain}, {STATE_WORDS[checkpoint.state]}"
            )
        self._told = len(seen)

    def _progress(self, look: Look) -> None:
        now = self._clock() - self._start
        text = progress_text(look)
        if text not in ("", self._text) and now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress, self._text = now, text
            self._line(text)

    def _line(self, text: str) -> None:
        minutes, seconds = divmod(int(self._clock() - self._start), 60)
        self._console.print(f"{minutes:02d}:{seconds:02d}  {text}", markup=False)
