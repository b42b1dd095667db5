"""Write the lock files: exact sets within pyproject.toml's ranges.

The development set is resolved first, in one go; the demo and the images use the parts of it that
they need, so all sets agree.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from environments import install_into

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEMO = ["report", "trainer", "evaluator"]
DEV = [
    *("report", "operator", "trainer", "data", "evaluator", "exporter"),
    *("trackers", "wandb", "smollm2"),
]
IMAGES = {
    "operator": ["operator", "exporter", "trackers"],
    "trainer": ["trainer", "data"],
    "evaluator": ["evaluator"],
}
HEAD = "# {what}, resolved in one go by `make lock` ({platform}).\n"
RESOLVE_SECONDS = 3_600


def requirements(extras: list[str]) -> list[str]:
    """The project's own requirements and those of `extras`."""
    own: list[str] = PROJECT["project"]["dependencies"]
    optional = PROJECT["project"]["optional-dependencies"]
    return own + [requirement for extra in extras for requirement in optional[extra]]


def resolved(wanted: list[str], constraints: str = "") -> str:
    """`name==version` lines of the set that pip finds for `wanted`, without local versions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report, constraint = folder / "report.json", folder / "constraints.txt"
        constraint.write_text(constraints)
        only_look = ["--dry-run", "--ignore-installed", "--report", str(report)]
        limits = ["--constraint", str(constraint)]
        command = [*install_into(folder / "venv"), *only_look, *limits, *wanted]
        subprocess.run(command, check=True, timeout=RESOLVE_SECONDS)
        found = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    pins = [f"{one['name']}=={one['version'].split('+')[0]}\n" for one in found]
    return "".join(sorted(pins, key=str.lower))


def main() -> None:
    """Resolve all sets and write them."""
    build = PROJECT["build-system"]["requires"]
    dev = resolved(build + requirements(DEV) + PROJECT["dependency-groups"]["dev"])
    demo = resolved(build + requirements(DEMO), dev)
    write("requirements-dev.lock", "What development installs", dev)
    write("requirements.lock", "What the demo installs", demo)
    for image, extras in IMAGES.items():
        locked = resolved(requirements(extras), dev)
        write(f"docker/{image}.lock", f"What the {image}'s image holds", locked)


def write(name: str, what: str, lines: str) -> None:
    """Write one lock file with its heading."""
    platform = f"Python {sys.version_info.major}.{sys.version_info.minor}, {sys.platform}"
    (ROOT / name).write_text(HEAD.format(what=what, platform=platform) + lines)


if __name__ == "__main__":
    main()
