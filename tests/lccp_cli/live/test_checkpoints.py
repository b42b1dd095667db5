"""The checkpoints of a live panel, in the room that there is."""

from io import StringIO

import a_run
import pytest
from rich.console import Console, Group

from lccp_cli.live.checkpoints import checkpoints

WAITING = [(f"{n} K", f"step-{n}: waiting for evaluation") for n in range(20)]


def shown(notes: list[tuple[str, str]], width: int, lines: int, reports: int = 5) -> list[str]:
    console = Console(file=StringIO(), width=width)
    verdict = a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:reports])) if reports else None
    console.print(Group(*checkpoints(verdict, notes, width, lines)))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_what_has_no_report_has_a_line_with_tokens_and_state() -> None:
    assert shown([("1 M", "step-1: evaluating")], 80, 20, reports=0) == ["1 M  step-1: evaluating"]
    assert shown([("", "step-1: left out")], 80, 20, reports=0) == ["step-1: left out"]


def test_a_note_longer_than_the_terminal_is_wrapped() -> None:
    lines = shown([("1 M", f"step-1: failed: {'word ' * 20}")], 40, 20, reports=0)

    assert max(map(len, lines)) <= 40
    assert " ".join(" ".join(lines).split()).count("word") == 20
    assert all(line.startswith("    ") for line in lines[1:])


@pytest.mark.slow
@pytest.mark.parametrize("lines", [11, 20, 46])
def test_notes_take_half_of_the_lines_and_the_newest_are_shown(lines: int) -> None:
    told = shown(WAITING, 100, lines)

    assert len(told) <= lines
    assert told[-1] == "19 K  step-19: waiting for evaluation"
    assert sum("waiting" in line for line in told) == min(20, lines // 2)
