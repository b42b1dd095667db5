"""The wheel that images install."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {"lccp": ".", "cli": "cli", "operator": "operator", "services": "services"}
"""Folders, and what of their paths a wheel leaves out."""
ABOUT = ("pyproject.toml", "README.md", "LICENSE")


def tracked() -> list[Path]:
    """Files of the packages, relative to the root."""
    command = ["git", "ls-files", "-z", *SOURCES]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [Path(name) for name in names if (ROOT / name).is_file()]


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    """Without any of them, a program that works in this folder does not start in its image."""
    files, source, built = tracked(), tmp_path / "source", tmp_path / "built"
    for path in (*files, *map(Path, ABOUT)):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, source / path)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    build = [*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=240)
    (wheel,) = built.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {str(path.relative_to(SOURCES[path.parts[0]])) for path in files} - held == set()
