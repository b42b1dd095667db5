"""The checkpoints of a live panel, in the room that there is."""

from io import StringIO

import a_run
import pytest
from reports import a_report
from rich.console import Console, Group

from lccp_cli.live.checkpoints import checkpoints, left_out
from lccp_cli.series import verdict_over

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


def test_a_report_that_the_verdict_leaves_out_is_told() -> None:
    first, copy = a_report(1_000, nll=0.5), a_report(2_000, nll=0.5)
    same = copy.model_copy(update={"checkpoint_digest": first.checkpoint_digest})
    verdict = verdict_over((first, same))

    ((tokens, note),) = left_out(verdict)
    assert tokens == "2 K"
    assert "left out: report at 2,000 tokens: is of the same checkpoint as" in note
    console = Console(file=StringIO(), width=80)
    console.print(Group(*checkpoints(verdict, [], 80, 20)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2 K  left out: report at 2,000 tokens" in text
