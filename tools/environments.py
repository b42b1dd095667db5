"""An environment of its own for a tool, and the pip that installs into it."""

import subprocess
import venv
from pathlib import Path

PIP_SECONDS = 600


def install_into(folder: Path) -> list[str]:
    """Create an empty environment; returns the command `pip install` in it.

    With a newer pip than Python 3.11's own, which takes minutes longer but stays if none is found.
    """
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*install, "--upgrade", "pip>=26"], timeout=PIP_SECONDS)
    return install
