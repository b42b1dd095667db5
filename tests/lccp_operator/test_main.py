"""`lccp-operator` as a command."""

import sys
from pathlib import Path

import pytest

from lccp_operator import main


def operator(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the command."""
    monkeypatch.setattr(sys, "argv", ["lccp-operator", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return int(ended.value.code or 0)


def test_help_shows_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert operator(monkeypatch, "--help") == 0
    assert "lccp-operator --port 8080" in capsys.readouterr().out


def test_an_installation_that_is_not_there_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LCCP_INSTALLATION", str(tmp_path / "none.yaml"))

    assert operator(monkeypatch) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said == [
        f"{tmp_path}/none.yaml: there is no such file: set LCCP_INSTALLATION to the installation's "
        "configuration file"
    ]
