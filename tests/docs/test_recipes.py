"""Pages of docs/contributing that say how something is added: followed on a copy of the sources."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "contributing"
BLOCK = re.compile(r"^```(\w+)\n# ([\w/.-]+)(?:: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REGISTRIES = {
    "lccp/probes/registry.py": ("from lccp.probes import", "PROBES = Registry(", "PROBE"),
    "services/lccp_evaluator/probes/__init__.py": (
        "from lccp_evaluator.probes import",
        "for half in (",
        "HALF",
    ),
}


class Copy:
    """A copy of the repository, in which what a page says is done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        parts = (str(root / part) for part in ("", "cli", "operator", "services"))
        self._environ = os.environ | {"PYTHONPATH": os.pathsep.join(parts)}

    def follow(self, page: str) -> None:
        """Write every block of the page that names its file: a file, a part of it, or a row."""
        for kind, path, name, text in BLOCK.findall((PAGES / page).read_text(encoding="utf-8")):
            target = self.root / path
            if name:
                target.write_text(_replaced(target.read_text(encoding="utf-8"), name, text))
            elif kind == "yaml" and target.exists():
                target.write_text(target.read_text(encoding="utf-8") + text)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(f"# {path}\n{text}" if kind == "yaml" else text)

    def register(self, module: str) -> None:
        """A line in each registry of probes."""
        for path, (imports, entries, name) in REGISTRIES.items():
            target = self.root / path
            text = target.read_text(encoding="utf-8")
            imported = f"{imports} (" if f"{imports} (" in text else imports
            for line, more in ((imported, f" {module},"), (entries, f"{module}.{name}, ")):
                assert text.count(line) == 1, f"{path}: {line}"
                text = text.replace(line, line + more)
            target.write_text(text)

    def commands(self, page: str) -> list[str]:
        """The commands of the page, a script for each block."""
        return COMMAND.findall((PAGES / page).read_text(encoding="utf-8"))

    def shell(self, script: str) -> str:
        """What a script prints, which must end well."""
        command = script.replace("make generate", ".venv/bin/python tools/generate.py")
        done = subprocess.run(
            ["sh", "-eu", "-c", command],
            cwd=self.root,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout


def _replaced(source: str, name: str, text: str) -> str:
    """`source` with `text` in place of its function or constant `name`, or among its imports."""
    body = ast.parse(source).body
    lines = source.splitlines(keepends=True)
    if name == "imports":
        first = next(node for node in body if isinstance(node, ast.ImportFrom))
        lines.insert(first.lineno - 1, text)
        return "".join(lines)
    (found,) = (
        node for node in body if name in (_name(node), _name(getattr(node, "target", None)))
    )
    lines[found.lineno - 1 : found.end_lineno] = [text]
    return "".join(lines)


def _name(node: object) -> str | None:
    return getattr(node, "name", None) or getattr(node, "id", None)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    )
    for name in listed.stdout.split("\0"):
        source, target = ROOT / name, tmp_path / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    for program, arguments in (("python", ""), ("lccp", "-m lccp_cli ")):
        (scripts / program).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        (scripts / program).chmod(0o755)
    return Copy(tmp_path)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_probe_and_a_further_signal_are_added_as_the_pages_say(copy: Copy) -> None:
    copy.follow("add-a-probe.md")
    copy.register("first_token")
    checked, evaluated = copy.commands("add-a-probe.md")
    copy.shell(checked)
    assert "firstToken" in (copy.root / "crds/lccpruns.lccp.io.yaml").read_text()
    assert "First token's PPL" in copy.shell(evaluated)
    assert (
        "First token of the key by length"
        in (copy.root / "runs/first-token/report.html").read_text()
    )

    copy.follow("add-a-signal.md")
    assert "First token's score" in copy.shell(evaluated)
    tests = "tests/lccp/probes/test_first_token.py tests/lccp_evaluator/probes/test_first_token*.py"
    copy.shell(f".venv/bin/python -m pytest {tests}")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_workload_is_added_as_the_page_says(copy: Copy) -> None:
    copy.follow("add-a-workload.md")
    (tested,) = copy.commands("add-a-workload.md")
    copy.shell(tested)
