"""The results of an evaluation, on the terminal."""

from io import StringIO
from pathlib import Path

import a_run
import numpy as np
import pytest
from rich.console import Console

from lccp.api.objects.report import EvaluationReport
from lccp.report.text import value_text
from lccp_cli.output.console import print_parts
from lccp_cli.output.results import result_lines

REPORT = a_run.report(a_run.CHECKPOINTS[3])
MEANS = "Perplexity by length and depth: means by length (tokens)"


def shown(report: EvaluationReport, folder: Path) -> str:
    """On a narrow terminal."""
    console = Console(file=StringIO(), width=60, markup=False)
    print_parts(console, result_lines(report, folder))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, arrays in a_run.details(REPORT.tokens).items():
        (tmp_path / f"{name}.npz").write_bytes(a_run.packed(arrays))
    return tmp_path


def test_every_signal_has_a_row_with_its_interval(folder: Path) -> None:
    text = shown(REPORT, folder)

    for signal in REPORT.signals():
        (row,) = [line for line in text.splitlines() if line.startswith(f"{signal.title}  ")]
        assert value_text(signal.value, signal.unit) in row
        assert (" to " in row) == (signal.interval is not None)


def test_perplexities_are_averaged_on_their_logarithm(folder: Path) -> None:
    """By length, over all depths, from the arrays beside the report."""
    nll = a_run.niah_details(REPORT.tokens)["nll"]
    text = shown(REPORT, folder)
    rows = text.split("means by length", 1)[1].splitlines()[2:]

    assert [row.split() for row in rows[: len(a_run.LENGTHS)]] == [
        [str(length), f"{np.exp(mean):.4f}"]
        for length, mean in zip(a_run.LENGTHS, nll.mean(axis=0), strict=True)
    ]


def test_arrays_of_another_measurement_are_not_shown(folder: Path) -> None:
    assert MEANS in shown(REPORT, folder)
    (folder / "niah.npz").write_bytes(a_run.packed(a_run.niah_details(0)))

    assert MEANS not in shown(REPORT, folder)


def test_notes_come_last(folder: Path) -> None:
    noted = REPORT.model_copy(update={"notes": ("One.", "Two.")})

    assert shown(noted, folder).endswith("\nOne.\nTwo.\n")
