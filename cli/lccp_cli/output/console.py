"""The terminal: one console, checkpoints as a table, colours of the verdict."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from textwrap import fill

from rich.console import Console
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from lccp.api.objects.verdict import CheckpointVerdict, Verdict, VerdictState
from lccp.contract.signals import Signal
from lccp.report.states import STATE_WORDS
from lccp.report.summary import gain_with_interval, table_signals
from lccp.report.text import tokens_text, value_text

TABLE_WIDTH_MAX = 1_000
HEAD_WIDTH = 9
STYLES = {
    VerdictState.IMPROVING: "green",
    VerdictState.DECEPTIVELY_SATURATED: "yellow",
    VerdictState.SATURATED: "bold blue",
    VerdictState.REGRESSING: "bold red",
    VerdictState.UNDETERMINED: "dim",
}


def standard_output() -> Console:
    """A console on standard output; without a terminal it writes plain text, unwrapped.

    Texts are printed as they are: brackets in a name are no markup.
    """
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, markup=False, width=200, soft_wrap=True)


def loading() -> AbstractContextManager[object]:
    """Say on a terminal that PyTorch and transformers are imported, which takes seconds."""
    return busy("loading PyTorch and transformers")


def busy(what: str) -> AbstractContextManager[object]:
    """Say `what` on a terminal, until it is over."""
    return Console(stderr=True).status(what)


def print_table(console: Console, table: Table) -> None:
    """Print all of `table`: a terminal that is narrower than it, narrowed, wraps its lines."""
    if console.is_terminal:
        narrow(table, console.width)
    whole = console.options.update(width=TABLE_WIDTH_MAX)
    console.print(Segments(console.render(table, whole)), crop=False)


def narrow(table: Table, width: int) -> None:
    """If `table` is wider than `width`, wrap its head, then make its gaps smaller, then wrap the
    texts of its first column if it fits then.
    """
    if width_of(table) <= width:
        return
    for column in table.columns:
        column.header = fill(str(column.header), HEAD_WIDTH, break_long_words=False)
        column.vertical = "bottom"
    for gap in (2, 1):
        if width_of(table) > width:
            table.padding = (0, gap, 0, 0)
    first, excess = table.columns[0], width_of(table) - width
    left = max((len(str(cell)) for cell in first.cells), default=0) - excess
    if excess > 0 and first.justify == "left" and left >= HEAD_WIDTH:
        first.no_wrap, first.max_width = False, left


def width_of(table: Table) -> int:
    """The columns of a terminal that show all of `table`."""
    return Console(width=TABLE_WIDTH_MAX).measure(table).maximum


def print_parts(console: Console, parts: Iterable[str | Table]) -> None:
    """Print texts and tables in turn, each whole."""
    for part in parts:
        if isinstance(part, Table):
            print_table(console, part)
        else:
            console.print(part)


def json_text(document: object) -> str:
    """`document`, of plain JSON types, as text that any parser accepts."""
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)


def say(sentence: str) -> None:
    """Print a sentence to standard error; standard output carries results only."""
    print(sentence, file=sys.stderr)


def table_of(first: str, *others: str) -> Table:
    """An empty table; its first column is text, the others are numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in (first, *others):
        table.add_column(name, justify="left" if name == first else "right", no_wrap=True)
    return table


def checkpoint_table(verdict: Verdict | None, rows: int | None = None) -> Table:
    """A row for each checkpoint, or the newest `rows`."""
    return _checkpoints(verdict, table_signals(verdict) if verdict else [], rows)


def fitting_table(verdict: Verdict | None, width: int, rows: int) -> Table:
    """The newest `rows` of `checkpoint_table`, narrowed, without the last signals if need be."""
    signals = table_signals(verdict) if verdict else []
    while True:
        table = _checkpoints(verdict, signals, rows)
        narrow(table, width)
        if not signals or width_of(table) <= width:
            return table
        signals.pop()


def _checkpoints(verdict: Verdict | None, signals: Sequence[Signal], rows: int | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in ("tokens", *(signal.title for signal in signals), "gain per horizon", "verdict"):
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    seen = verdict.checkpoints if verdict else ()
    for checkpoint in seen[-rows:] if rows else seen:
        assert verdict is not None
        state = Text(STATE_WORDS[checkpoint.state], style=STYLES[checkpoint.state])
        values = (value_text(checkpoint.values.get(s.name), s.unit) for s in signals)
        gain = gain_with_interval(checkpoint, verdict)
        table.add_row(tokens_text(checkpoint.tokens), *values, gain, state)
    return table


def checkpoint_line(checkpoint: CheckpointVerdict, verdict: Verdict) -> str:
    """A checkpoint's values and verdict in one line of plain text."""
    values = (
        f"{signal.title} {value_text(checkpoint.values.get(signal.name), signal.unit)}"
        for signal in table_signals(verdict)
    )
    gain = gain_with_interval(checkpoint, verdict)
    state = STATE_WORDS[checkpoint.state]
    return f"checkpoint {tokens_text(checkpoint.tokens)}: {', '.join(values)}, gain {gain}, {state}"
