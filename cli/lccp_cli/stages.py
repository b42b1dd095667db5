"""The numbered stages of a command, with their times."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console

from lccp.report.text import duration_text

VARIABLE = "LCCP_STAGES_BEFORE"


class Stages:
    """Stages of a command; `before` were already done by whoever started it."""

    def __init__(self, console: Console, total: int, before: int = 0) -> None:
        self.console = console
        self._total = total + before
        self._number = before

    @classmethod
    def of(cls, console: Console, total: int) -> Self:
        """`total` stages, after as many as LCCP_STAGES_BEFORE says."""
        before = os.environ.get(VARIABLE, "")
        return cls(console, total, int(before) if before.isdecimal() else 0)

    @contextmanager
    def stage(self, name: str) -> Iterator[str]:
        """One stage; gives its heading, and prints it with its time when it is done."""
        self._number += 1
        heading = f"[{self._number}/{self._total}] {name}"
        start = time.monotonic()
        yield heading
        took = duration_text(time.monotonic() - start)
        self.console.print(f"{heading}: {took}", markup=False)
