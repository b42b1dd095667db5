"""The table of manifests in tests/manifests: a base, and changes to it by path."""

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "manifests"
BASE: dict[str, Any] = yaml.safe_load((FOLDER / "base.yaml").read_text())


@dataclass(frozen=True)
class Case:
    """One entry of the table: the change, and what is said of it."""

    name: str
    set: dict[str, Any] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)
    says: str = ""
    type: str = ""
    server: str = ""
    refused: str = ""
    at: str | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def before(self) -> dict[str, Any]:
        """The base manifest with the changes that come before this case's own."""
        return changed(BASE, self.start, self.lacks)

    @property
    def manifest(self) -> dict[str, Any]:
        return changed(self.before, self.set, self.unset)

    @property
    def path(self) -> str:
        """The path that a refusal must name."""
        return next(iter(self.set), "") if self.at is None else self.at


def cases(name: str) -> list[Case]:
    """The entries of `<name>.yaml`."""
    entries = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return [Case(**{"start" if k == "from" else k: v for k, v in e.items()}) for e in entries]


def changed(
    manifest: dict[str, Any], given: dict[str, Any], removed: Iterable[str] = ()
) -> dict[str, Any]:
    """A copy of `manifest` with values set and removed by path; `[+]` appends to a list."""
    result = copy.deepcopy(manifest)
    for path in removed:
        parent, last = _parent(result, path)
        del parent[last]
    for path, value in given.items():
        parent, last = _parent(result, path)
        if last == "+":
            parent.append(value)
        else:
            parent[last] = value
    return result


def _parent(document: Any, path: str) -> tuple[Any, Any]:
    *above, last = [_key(part) for part in re.findall(r"[^.\[\]]+", path)]
    for part in above:
        document = document[part] if isinstance(part, int) else document.setdefault(part, {})
    return document, last


def _key(part: str) -> int | str:
    return int(part) if part.isdigit() else part
