"""How far an evaluation is, with and without a terminal."""

from io import StringIO

from rich.console import Console

from lccp_cli.progress import progress_of


def test_without_a_terminal_progress_is_told_seldom_and_at_the_end() -> None:
    console = Console(file=StringIO(), width=80)
    with progress_of(console, "final") as show:
        for done in range(1, 101):
            show(done, 100)

    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "final: 1 of 100 samples",
        "final: 100 of 100 samples",
    ]


def test_on_a_terminal_progress_is_a_bar() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=True)
    with progress_of(console) as show:
        show(3, 4)

    assert "3/4" in console.file.getvalue()  # type: ignore[attr-defined]
