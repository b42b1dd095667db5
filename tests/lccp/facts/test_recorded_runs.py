"""Runs as earlier versions stored them: what those wrote is read today."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lccp.analysis.verdict import judge
from lccp.api.labels import ANNEAL, INTRINSIC, tokens_key
from lccp.api.objects.base import StoreObject
from lccp.contract.errors import Incompatible
from lccp.report.load import RunData
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from reference.contract import OBJECTS

STORED = Path(__file__).parents[2] / "fixtures" / "stored"
RUNS = sorted(STORED.glob("v*/default/*"))
FILES = sorted(path for run in RUNS for path in run.rglob("*.json"))
JUDGED_ANEW = ("v1/default/tiny/analysis/verdict.json", "v1/default/stopped/analysis/verdict.json")


def name(path: Path) -> str:
    return str(path.relative_to(STORED))


def kind_of(path: Path) -> type[StoreObject] | None:
    """The type of the object at this path; None where no object of today has its key."""
    key = "/".join(path.relative_to(STORED).parts[3:])
    for pattern, _, kind in OBJECTS:
        if re.fullmatch(rf"(branches/\d+/)?{re.sub('<[a-z]+>', '[^/]+', pattern)}", key):
            return kind if issubclass(kind, StoreObject) else None
    return None


def lost(stored: Any, read: Any, path: str = "") -> list[str]:
    """Values of a stored object that what was read of it does not have."""
    if isinstance(stored, dict) and isinstance(read, dict):
        return [one for key in stored for one in lost(stored[key], read.get(key), f"{path}.{key}")]
    if isinstance(stored, list) and isinstance(read, list) and len(stored) == len(read):
        pairs = enumerate(zip(stored, read, strict=True))
        return [one for i, (a, b) in pairs for one in lost(a, b, f"{path}[{i}]")]
    return [] if stored == read else [f"{path}: {stored!r} is {read!r}"]


@pytest.mark.parametrize(
    "path", [path for path in FILES if kind_of(path) and name(path) not in JUDGED_ANEW], ids=name
)
def test_no_value_of_a_recorded_object_is_lost(path: Path) -> None:
    kind = kind_of(path)
    assert kind is not None
    stored = json.loads(path.read_bytes())

    read = kind.from_json(path.read_bytes(), name(path)).document()

    if stored["schemaVersion"] == kind.SCHEMA_VERSION:
        assert lost(stored, read) == []


@pytest.mark.parametrize("path", JUDGED_ANEW)
def test_a_verdict_of_version_1_is_made_anew(path: str) -> None:
    kind = kind_of(STORED / path)
    assert kind is not None
    with pytest.raises(Incompatible, match="has schema version 1"):
        kind.from_json((STORED / path).read_bytes(), path)


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_a_recorded_run_is_read_whole(run: Path) -> None:
    found = RunData.from_store(FileStore(run.parents[1]), RunKeys(run.parent.name, run.name))

    assert found.identity is not None
    assert found.journal is not None
    measured = {attempt.number for attempt in found.journal.attempts if "v2" in run.parts}
    assert found.ledgers.keys() == measured  # Trainers of version 1 kept no ledger.
    evaluated = {tuple(key.split("/")) for key in found.journal.evaluations}
    checkpoints = {path.parent.name for path in run.glob("checkpoints/*/manifest.json")}
    assert {tokens for tokens, suite in evaluated if suite == INTRINSIC} == checkpoints
    assert found.history


def test_of_version_2_measurements_are_read_too() -> None:
    run = STORED / "v2" / "default" / "tiny"

    found = RunData.from_store(FileStore(run.parents[1]), RunKeys("default", "tiny"))

    assert [tokens_key(one.tokens) for one in found.reports] == sorted(
        path.name for path in run.glob("checkpoints/*")
    )
    assert [one.suite for one in found.branches] == [ANNEAL]
    assert {one.suite for one in found.external} == {"words"}
    assert found.verdict is not None
    judged = judge(found.all_reports, found.verdict.policy)
    assert [c.values for c in judged.checkpoints] == [c.values for c in found.verdict.checkpoints]
    assert len(found.held_out) == len(found.reports)
