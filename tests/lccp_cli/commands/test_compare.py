import json
from collections.abc import Callable
from pathlib import Path

import a_run
import pytest
from typer.testing import Result

Lccp = Callable[..., Result]
FIRST, LAST = a_run.CHECKPOINTS[4], a_run.CHECKPOINTS[-1]


@pytest.mark.slow
def test_two_checkpoints_of_a_run_are_compared_signal_by_signal(lccp: Lccp, stored: Path) -> None:
    result = lccp("compare", f"{stored}@{FIRST}", stored)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[:2] == ["A: default/tiny at 410 K tokens", "B: default/tiny at 1.43 M tokens"]
    (row,) = [line.split() for line in lines if line.startswith("NIAH-PPL ")]
    values = [a_run.report(tokens).signal("niah_ppl").value for tokens in (FIRST, LAST)]  # type: ignore[union-attr]
    assert row[1:3] == [f"{value:.4f}" for value in values]
    assert row[3] == f"{100 * (1 - values[1] / values[0]):+.1f}"  # it fell by so many percent
    assert row[-1] == "better"
    assert any(line.startswith("Rank correlation of heads ") for line in lines)


@pytest.mark.slow
def test_json_names_the_checkpoints_and_holds_every_signal(lccp: Lccp, stored: Path) -> None:
    printed = json.loads(lccp("compare", f"{stored}@{FIRST}", f"{stored}@{LAST}", "--json").stdout)
    assert printed["a"] == {"run": str(stored), "tokens": FIRST}
    names = [one["signal"]["name"] for one in printed["differences"]]
    assert names == [signal.name for signal in a_run.report(FIRST).signals()]
    assert len(printed["differences"][0]["interval"]) == 2


@pytest.mark.slow
def test_a_folder_of_other_samples_is_left_out_by_name(
    lccp: Lccp, stored: Path, tmp_path: Path
) -> None:
    report = a_run.report(LAST)
    niah = report.probes["niah"].model_copy(update={"samples_digest": "other"})
    other = report.model_copy(update={"probes": report.probes | {"niah": niah}})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "report.json").write_bytes(other.to_json())
    result = lccp("compare", stored, tmp_path / "b")
    assert "Left out: niah: was measured with different samples" in result.output
    assert "NIAH-PPL" not in result.output


@pytest.mark.parametrize(
    ("suffix", "sentence"),
    [("", "can't be compared with itself"), ("@much", "must be 0 or a number of tokens")],
)
def test_what_names_no_other_checkpoint_is_refused(
    lccp: Lccp, stored: Path, suffix: str, sentence: str
) -> None:
    result = lccp("compare", stored, f"{stored}{suffix}")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"lccp: {stored}{suffix}: ")
    assert sentence in result.stderr
