"""What the terminal shows, and what is printed where there is no terminal."""

from io import StringIO

import a_run
import pytest
from rich.console import Console

from lccp.api.objects.verdict import Verdict
from lccp_cli.output.console import (
    checkpoint_line,
    checkpoint_table,
    fitting_table,
    loading,
    narrow,
    print_parts,
    print_table,
    say,
    standard_output,
    table_of,
    width_of,
)


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:5]))


def told(verdict: Verdict | None, width: int = 200, rows: int | None = None) -> list[str]:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    print_table(console, checkpoint_table(verdict, rows))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_output_that_is_no_terminal_has_no_escape_sequences() -> None:
    console = standard_output()
    assert console.is_terminal is False
    assert console.color_system is None


def test_brackets_in_a_text_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console = standard_output()
    console.print("A: [bold]/x[/y]")
    assert capsys.readouterr().out == "A: [bold]/x[/y]\n"


def test_on_a_terminal_the_loading_of_libraries_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with loading():
        pass
    assert tuple(capsys.readouterr()) == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with loading():
        pass
    output, errors = capsys.readouterr()
    assert output == ""
    assert "loading PyTorch and transformers" in errors


def test_a_narrow_terminal_gets_whole_tables() -> None:
    console = Console(file=StringIO(), width=20, force_terminal=True, color_system=None)
    table = table_of("signal", "A", "B")
    table.add_row("Corpus PPL at the end", "1.5880", "1.5012")
    print_parts(console, ["A text", table])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Corpus PPL at the end 1.5880 1.5012" in shown


def test_a_table_is_narrowed_as_far_as_needed() -> None:
    def widths(width: int) -> tuple[int, list[str]]:
        table = table_of("layout", "accelerator-hours", "tokens per second")
        table.add_row("A", "0.000117", "15.6 M")
        narrow(table, width)
        return width_of(table), [str(column.header) for column in table.columns]

    heads = ["layout", "accelerator-\nhours", "tokens\nper\nsecond"]
    assert widths(80) == (46, ["layout", "accelerator-hours", "tokens per second"])
    assert [widths(width) for width in (45, 29, 10)] == [(30, heads), (28, heads), (26, heads)]


def test_texts_of_the_first_column_are_wrapped_where_a_wrapped_head_is_not_enough() -> None:
    values = "2277.1215", "1990.3298", "+12.6 %", "-5225.3 % to +98.6 %", "not clear"
    table = table_of("signal", "A", "B", "gain", "95 % interval", "B is")
    table.add_row("Lost in the middle, guard band", *values)

    narrow(table, 80)

    assert width_of(table) == 80
    console = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    print_table(console, table)
    *_, row, rest = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert row.strip() == "Lost in the middle,"
    assert rest.split() == ["guard", "band", *" ".join(values).split()]


def test_sentences_leave_standard_output_to_results(capsys: pytest.CaptureFixture[str]) -> None:
    say("A sentence.")

    assert tuple(capsys.readouterr()) == ("", "A sentence.\n")


@pytest.mark.slow
def test_a_row_for_each_checkpoint_or_the_newest(verdict: Verdict) -> None:
    every, newest = told(verdict), told(verdict, rows=2)

    assert len(every) == 1 + len(verdict.checkpoints)
    assert newest == [every[0], *every[-2:]]
    assert "NIAH-PPL" in every[0]


def test_without_a_report_a_table_has_its_head_only() -> None:
    assert told(None) == ["tokens   gain per horizon   verdict"]


@pytest.mark.slow
def test_a_table_fits_80_columns_by_its_head(verdict: Verdict) -> None:
    wide, narrow = told(verdict), told(verdict, width=80)

    assert "deceptively saturated" in wide[-1] or "improving" in wide[-1]
    assert max(map(len, narrow)) <= 80 < max(map(len, wide))
    assert [row.split() for row in narrow[2:]] == [row.split() for row in wide[1:]]
    assert narrow[0].split()[-2:] == ["gain", "per"]


@pytest.mark.slow
def test_signals_that_do_not_fit_are_left_out_from_the_last(verdict: Verdict) -> None:
    for width in (30, 45, 60, 80):
        table = fitting_table(verdict, width, rows=3)
        titles = [str(column.header).replace("\n", " ") for column in table.columns]
        assert width_of(table) <= width or len(titles) == 3
        assert titles[0] == "tokens"
        assert titles[-2:] == ["gain per horizon", "verdict"]
    assert "NIAH-PPL" in titles


def test_a_checkpoint_in_one_line_has_the_values_of_its_row(verdict: Verdict) -> None:
    newest = verdict.checkpoints[-1]

    line = checkpoint_line(newest, verdict)

    assert line.startswith("checkpoint 410 K: NIAH-PPL ")
    assert f"{newest.values['niah_ppl']:.4f}" in line
    assert line.endswith(", improving")
