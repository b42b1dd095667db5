from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Lccp = Callable[..., Result]


@pytest.mark.slow
def test_event_files_lie_with_the_run_or_where_asked(
    lccp: Lccp, stored: Path, tmp_path: Path
) -> None:
    result = lccp("export", str(stored), "--to", "tensorboard")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("default/tiny: ")
    assert result.stdout.endswith(" rows logged\n")
    assert len(list((stored / "exports" / "tensorboard").iterdir())) == 1

    assert lccp("export", str(stored), "--to", "tensorboard").stdout.split()[1] == "0"

    out = tmp_path / "elsewhere"
    lccp("export", str(stored), "--to", "tensorboard", "--out", str(out))
    assert len(list((out / "default" / "tiny").iterdir())) == 1


def test_an_output_that_is_a_file_is_refused_by_its_name(
    lccp: Lccp, stored: Path, tmp_path: Path
) -> None:
    out = tmp_path / "notes.txt"
    out.write_text("mine")
    result = lccp("export", str(stored), "--to", "tensorboard", "--out", str(out))
    assert result.exit_code == 2
    assert result.stderr == f"lccp: --out: {out}: can't be created as a folder: File exists\n"
    assert out.read_text() == "mine"


@pytest.mark.slow
def test_without_its_address_mlflow_is_refused_with_the_variable(
    lccp: Lccp, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = lccp("export", str(stored), "--to", "mlflow")
    assert result.exit_code != 0
    assert "MLFLOW_TRACKING_URI is not set" in result.stderr
