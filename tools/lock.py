"""Write requirements.lock and requirements-dev.lock: exact sets that fit pyproject.toml's ranges.

The development set is resolved first, in one go; the demo's set is the part of it that the demo
needs, so that the two never differ.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEMO = ["report", "trainer", "evaluator"]
DEV = ["report", "operator", "trainer", "evaluator", "exporter", "smollm2"]
HEAD = "# {what}, resolved in one go by `make lock` ({platform}).\n"
INSTALL_SECONDS = 3_600


def requirements(extras: list[str]) -> list[str]:
    """The project's own requirements and those of `extras`; its build needs belong to them."""
    own: list[str] = PROJECT["build-system"]["requires"] + PROJECT["project"]["dependencies"]
    optional = PROJECT["project"]["optional-dependencies"]
    return own + [requirement for extra in extras for requirement in optional[extra]]


def resolved(wanted: list[str], constraints: str = "") -> str:
    """`name==version` lines of the set that pip finds for `wanted`, without local versions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "constraints.txt").write_text(constraints)
        venv.create(folder / "venv", with_pip=True)
        pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        install = [*pip, "install", "--constraint", str(folder / "constraints.txt"), *wanted]
        subprocess.run(install, check=True, timeout=INSTALL_SECONDS)
        freeze = [*pip, "list", "--format=freeze", "--exclude=pip"]
        done = subprocess.run(freeze, check=True, capture_output=True, text=True, timeout=60)
    lines = sorted((line.split("+")[0] for line in done.stdout.splitlines()), key=str.lower)
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Resolve both sets and write them."""
    dev = resolved(requirements(DEV) + PROJECT["dependency-groups"]["dev"])
    demo = resolved(requirements(DEMO), dev)
    platform = f"Python {sys.version_info.major}.{sys.version_info.minor}, {sys.platform}"
    for name, what, lines in (
        ("requirements.lock", "What the demo installs", demo),
        ("requirements-dev.lock", "What development installs", dev),
    ):
        (ROOT / name).write_text(HEAD.format(what=what, platform=platform) + lines)


if __name__ == "__main__":
    main()
