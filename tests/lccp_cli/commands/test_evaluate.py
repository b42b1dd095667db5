from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_checkpoints import a_checkpoint
from typer.testing import Result

Lccp = Callable[..., Result]
NEEDLE = """- stem: The best thing to do in San Francisco is
  key: eat a sandwich.
  question: What is the best thing to do in San Francisco?
- stem: The password of the vault is
  key: four green kites.
  question: What is the password of the vault?
"""


@pytest.mark.slow
def test_evaluate_prints_a_row_per_length_and_leaves_a_report(lccp: Lccp, tmp_path: Path) -> None:
    model, out = a_checkpoint(tmp_path / "model"), tmp_path / "out"
    needles = tmp_path / "needles.yaml"
    needles.write_text(NEEDLE)
    documents = tmp_path / "documents.txt"
    documents.write_text("The grass is green. The sky is blue. The sun is yellow. " * 100)
    result = lccp(
        *("evaluate", "--model", model, "--out", out, "--lengths", "200, 300", "--depths", "0,50"),
        *("--haystacks", "2", "--needles", needles, "--haystack", documents),
        *("--source-context", "256"),
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert {line.split()[0] for line in lines if line} >= {"200", "300"}
    assert any(line.startswith("NIAH-PPL, guard band ") for line in lines)
    assert any(line.startswith("Retrieval heads ") for line in lines)
    assert lines[-2:] == [f"Report: {out / 'report.json'}", f"Next:   lccp report {out}"]
    assert (out / "report.json").is_file()
