"""Test trainer and evaluator with the lowest versions in pyproject.toml.

The locks contain the newest version of every range; these are the oldest. The environment in
`.venv-lowest` is recreated whenever the ranges change. Arguments are passed to pytest:

    python tools/lowest.py -k passes
"""

import re
import subprocess
import sys

from environments import install_into
from lock import ROOT, requirements

FOLDER = ROOT / ".venv-lowest"
PYTHON = FOLDER / "bin" / "python"
TESTS = ("tests/lccp_evaluator", "tests/lccp_trainer")
TOOLS = ("hypothesis", "pytest", "pytest-timeout", "setuptools>=77")
INSTALL_SECONDS = 3_600


def lowest(requirement: str) -> str:
    """`requirement` pinned to the lower end of its range."""
    found = re.match(r"([\w.-]+)>=([\w.]+)", requirement)
    if not found:
        raise SystemExit(f"pyproject.toml: {requirement} does not say where its range begins")
    return f"{found[1]}=={found[2]}"


def install(pins: list[str]) -> None:
    """Create the environment of `pins`, unless it exists."""
    stamp, state = FOLDER / "pins.txt", "\n".join(pins)
    if stamp.is_file() and stamp.read_text() == state:
        return
    pip_install = install_into(FOLDER)
    for wanted in ([*pins, *TOOLS], ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]):
        subprocess.run([*pip_install, *wanted], check=True, timeout=INSTALL_SECONDS)
    stamp.write_text(state)


def main() -> int:
    """Install, test, and return pytest's exit code."""
    install(sorted({lowest(one) for one in requirements(["trainer", "evaluator", "report"])}))
    return subprocess.run([PYTHON, "-m", "pytest", *TESTS, *sys.argv[1:]], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
