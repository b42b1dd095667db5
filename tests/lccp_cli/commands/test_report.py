from collections.abc import Callable
from pathlib import Path

import a_run
import pytest
from reports import without_signals
from typer.testing import Result

from lccp.analysis.verdict import judge

Lccp = Callable[..., Result]


@pytest.mark.slow
def test_report_is_written_into_the_folder(lccp: Lccp, stored: Path) -> None:
    result = lccp("report", stored)
    page = stored / "report.html"
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{page}\n", "")
    assert "Saturated since 1.43 M tokens" in page.read_text()


@pytest.mark.slow
def test_report_of_a_url_is_written_where_asked_and_arrays_that_it_lacks_are_told(
    lccp: Lccp, stored: Path, tmp_path: Path
) -> None:
    cut, gone = sorted((stored / "evaluations").rglob("niah.npz"))[:2]
    cut.write_bytes(cut.read_bytes()[:-9])
    gone.unlink()
    page = tmp_path / "pages" / "a.html"

    result = lccp("report", f"file://{stored}", "--out", page)

    assert (result.exit_code, result.stdout) == (0, f"{page}\n")
    assert "Saturated since 1.43 M tokens" in page.read_text()
    assert not (stored / "report.html").exists()
    assert result.stderr.splitlines() == [
        f"lccp: niah.npz at {int(array.parts[-3]):,} tokens is missing or damaged: figures leave "
        "it out"
        for array in (cut, gone)
    ]


@pytest.mark.slow
def test_a_page_that_can_t_be_written_is_refused_by_name(
    lccp: Lccp, stored: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "page.html"):
        result = lccp("report", stored, "--out", path)

        assert result.exit_code == 2
        assert f"file {path}: cannot be written: " in result.output


@pytest.mark.slow
def test_reports_within_the_source_context_are_shown_but_not_judged(
    lccp: Lccp, tmp_path: Path
) -> None:
    beyond = (signal.name for signal in a_run.report(0).signals() if signal.band == "extension")
    report = without_signals(a_run.report(0), *beyond)
    (tmp_path / "report.json").write_bytes(report.to_json())
    assert lccp("report", tmp_path).exit_code == 0
    page = (tmp_path / "report.html").read_text()
    guard = report.signal("niah_ppl_guard")
    assert guard is not None
    assert "no length exceeds the source context" in page
    assert f"{guard.value:.4f}" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sentence", "code", "answer"),
    [("verdict saturated", 0, "Yes"), ("verdict improving", 1, "No")],
)
def test_a_gate_is_answered_by_the_exit_code_and_by_sentences(
    lccp: Lccp, stored: Path, sentence: str, code: int, answer: str
) -> None:
    policy = a_run.policy().model_copy(update={"gate": (sentence,)})
    verdict = judge(a_run.reports(), policy)
    (stored / a_run.KEYS.verdict.removeprefix(a_run.KEYS.prefix)).write_bytes(verdict.to_json())
    result = lccp("report", stored, "--gate")
    assert result.exit_code == code
    assert result.stdout.splitlines()[0] == f"Gate: {answer}"
    assert sentence in result.stdout
    assert not (stored / "report.html").exists()


@pytest.mark.slow
def test_a_run_without_a_gate_says_where_to_declare_one(lccp: Lccp, stored: Path) -> None:
    result = lccp("report", stored, "--gate")
    assert result.exit_code == 2
    assert "saturation.gate is empty" in result.stderr
