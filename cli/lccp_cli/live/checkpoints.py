"""The checkpoints in a live panel: a table of those with a report, lines of the others."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.console import RenderableType
from rich.text import Text

from lccp.api.objects.verdict import Verdict
from lccp.report.text import tokens_text
from lccp_cli.output.console import fitting_table

ROWS_MIN = 4
HEAD_LINES = 2
INDENT = " " * 4

Note = tuple[str, str]
"""The tokens of a checkpoint without a report, and what happens to it."""


def checkpoints(
    verdict: Verdict | None, notes: Sequence[Note], width: int, lines: int
) -> Iterator[RenderableType]:
    """The newest checkpoints in about `lines` lines, none longer than `width`.

    Notes, and reports that the verdict leaves out, are wrapped and take half of the lines at most.
    """
    told = [*(left_out(verdict) if verdict else ()), *notes]
    below = list(_wrapped(told, width))[-max(ROWS_MIN, lines // 2) :]
    if verdict is not None and verdict.checkpoints:
        yield fitting_table(verdict, width, max(ROWS_MIN, lines - HEAD_LINES - len(below)))
    yield from (Text(line, style="dim") for line in below)


def left_out(verdict: Verdict) -> Iterator[Note]:
    """The reports that the verdict does not compare with the others, and why."""
    for one in verdict.excluded:
        yield tokens_text(one.tokens), f"left out: {one.reason}"


def _wrapped(notes: Sequence[Note], width: int) -> Iterator[str]:
    for tokens, note in notes:
        yield from wrap(f"{tokens}  {note}".lstrip(), width, subsequent_indent=INDENT)
