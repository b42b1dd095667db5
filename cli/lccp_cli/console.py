"""The terminal: one console, checkpoints as a table, colours of the verdict."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lccp.api.objects.verdict import CheckpointVerdict, VerdictState
from lccp.report.text import tokens_text
from lccp.report.words import STATE_WORDS

STYLES = {
    VerdictState.IMPROVING: "green",
    VerdictState.DECEPTIVELY_SATURATED: "yellow",
    VerdictState.SATURATED: "bold blue",
    VerdictState.REGRESSING: "bold red",
    VerdictState.UNDETERMINED: "dim",
}
COLUMNS = ("tokens", "NIAH score", "NIAH-PPL", "heads", "gain per horizon", "verdict")


def standard_output() -> Console:
    """A console on standard output; without a terminal it writes plain text, unwrapped."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200, soft_wrap=True)


def say(sentence: str) -> None:
    """Print a sentence to standard error; standard output carries results only."""
    print(sentence, file=sys.stderr)


def checkpoint_table(
    checkpoints: Iterable[CheckpointVerdict], more: Iterable[tuple[str, str]] = ()
) -> Table:
    """A row for each checkpoint; `more` adds rows of tokens and a note."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    for checkpoint in checkpoints:
        state = Text(STATE_WORDS[checkpoint.state], style=STYLES[checkpoint.state])
        table.add_row(*values_text(checkpoint), state)
    for tokens, note in more:
        table.add_row(tokens, *[""] * 4, Text(note, style="dim"))
    return table


def values_text(checkpoint: CheckpointVerdict) -> tuple[str, str, str, str, str]:
    """Tokens, score, PPL, heads and gain of a checkpoint; a dash where there is no value."""
    gain = next((g for g in checkpoint.gains if g.signal == "niah_ppl"), None)
    half = 100 * (gain.upper - gain.lower) / 2 if gain else 0.0
    heads = checkpoint.retrieval_heads
    return (
        tokens_text(checkpoint.tokens),
        "–" if checkpoint.niah_score is None else f"{checkpoint.niah_score:.3f}",
        "–" if checkpoint.niah_ppl is None else f"{checkpoint.niah_ppl:.4f}",
        "–" if heads is None else str(heads),
        f"{100 * gain.gain:+.1f} ± {half:.1f} %" if gain else "–",
    )
