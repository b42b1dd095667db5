"""The script that prepares .venv, with a stand-in for Python."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
echo "$*" >>asked
case "$*" in
"$FAILS") exit 3 ;;
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""
NEWER_PIP = "-m pip --disable-pip-version-check install --quiet --upgrade pip>=26"


def prepared(folder: Path, fails: str) -> tuple[int, list[str]]:
    """The exit code where Python fails with the arguments `fails`, and how it was called."""
    (folder / "tools").mkdir()
    for name in ("tools/environment", "tools/python", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
    python = folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    environ = {"PATH": "/usr/bin:/bin", "PYTHON": str(python), "FAILS": fails}
    command = ["sh", "tools/environment", "dev"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=60)
    return done.returncode, (folder / "asked").read_text().splitlines()


def test_nothing_is_installed_if_the_environment_cannot_be_made(tmp_path: Path) -> None:
    code, asked = prepared(tmp_path, fails="-m venv .venv")

    assert (code, asked[-1]) == (3, "-m venv .venv")


@pytest.mark.parametrize("fails", ["", NEWER_PIP])
def test_an_environment_is_ready_with_a_newer_pip_or_without(tmp_path: Path, fails: str) -> None:
    code, asked = prepared(tmp_path, fails)

    assert code == 0
    assert NEWER_PIP in asked
    assert asked[-1].endswith("--no-build-isolation --editable .")
    assert (tmp_path / ".venv" / ".ready-dev").is_file()
