"""A machine for the embedded engine: a store in a folder, and stub programs as children.

As a script it runs the engine, so that a test can send signals to it:

    python laptop.py ROOT MANIFEST_JSON TRAINER_OPTIONS_JSON EVALUATOR_OPTIONS_JSON
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from operator_world import EVERY_TOKENS, KEYS, manifest_of, report_of
from stored import complete_checkpoints

from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Journal
from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.api.run import LCCPRun
from lccp.store.file import FileStore
from lccp.store.objects import read
from lccp_operator.embedded import EmbeddedEngine, Outcome, Programs

MARK = "LCCP_TEST_MARK"
STUBS = Path(__file__).with_name("stub_programs.py")
CHECKPOINTS_READY = 6


class Laptop:
    """The folder, and what happened there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = FileStore(root)

    def make_ready(self) -> None:
        """Lay down what the stubs write."""
        (self.root / "ready").mkdir()
        for tokens in range(EVERY_TOKENS, CHECKPOINTS_READY * EVERY_TOKENS + 1, EVERY_TOKENS):
            manifest = saved(tokens)
            for kind, value in (("manifest", manifest), ("report", report_of(manifest))):
                (self.root / "ready" / f"{kind}-{tokens}.json").write_bytes(value.to_json())

    def run(
        self, run: LCCPRun, *trainer: str, evaluator: Sequence[str] = (), **more: Any
    ) -> Outcome:
        """Run the engine here."""
        programs = self._programs(trainer, evaluator)
        config = StoreConfig(url=f"file://{self.root}")
        return EmbeddedEngine(run, config, self.root, programs=programs, **more).run()

    def start(
        self, run: LCCPRun, *trainer: str, evaluator: Sequence[str] = ()
    ) -> "subprocess.Popen[str]":
        """Run the engine in a process of its own, marked by the folder in its environment."""
        options = json.dumps(trainer), json.dumps(evaluator)
        return subprocess.Popen(
            [sys.executable, __file__, str(self.root), json.dumps(run.document()), *options],
            env=os.environ | {MARK: str(self.root), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def _programs(self, trainer: Sequence[str], evaluator: Sequence[str]) -> Programs:
        stub = (sys.executable, "-I", "-S", str(STUBS))
        return Programs(
            trainer=(*stub, "trainer", str(EVERY_TOKENS), *trainer),
            evaluator=(*stub, "evaluator", str(self.root / "done.txt"), *evaluator),
        )

    @property
    def logs(self) -> Path:
        return self.root / KEYS.prefix / "logs"

    @property
    def journal(self) -> Journal:
        return read(self.store, KEYS.journal, Journal)

    @property
    def evaluated(self) -> Counter[int]:
        """How often each checkpoint was evaluated."""
        done = self.root / "done.txt"
        return Counter(map(int, done.read_text().split() if done.exists() else []))

    def reported(self) -> list[int]:
        """Checkpoints whose report is in the store."""
        reports = (self.root / KEYS.prefix).glob("evaluations/*/intrinsic/report.json")
        return sorted(int(path.parent.parent.name) for path in reports)

    def checkpoints(self) -> list[int]:
        return [m.tokens for m in complete_checkpoints(self.store, KEYS)]

    def processes(self) -> list[int]:
        """Marked processes, engine and children."""
        marked = f"{MARK}={self.root}\0".encode()
        return [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/environ") if _has(p, marked)]


def saved(tokens: int) -> Manifest:
    """The manifest of the checkpoint that the stub of a trainer saves."""
    weights = str(tokens).encode()
    record = FileRecord(size=len(weights), sha256=hashlib.sha256(weights).hexdigest())
    return manifest_of(tokens).model_copy(update={"files": {"model.safetensors": record}})


def _has(path: Path, mark: bytes) -> bool:
    try:
        return mark in path.read_bytes()
    except OSError:
        return False


def lives(pid: int) -> bool:
    """Whether the process is there, and more than a zombie."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(what: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def main() -> None:
    root, manifest, trainer, evaluator = sys.argv[1:]
    run = LCCPRun.parse(json.loads(manifest), "manifest")
    outcome = Laptop(Path(root)).run(run, *json.loads(trainer), evaluator=json.loads(evaluator))
    print(outcome.state)


if __name__ == "__main__":
    main()
