"""Weights & Biases: a run whose metrics have `tokens` as their x-axis, whatever their order."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb

from lccp_exporter.trackers.rows import TrackedRow, TrackedRun, digest_of
from lccp_exporter.trackers.tracker import TrackerFailed

STEP_METRIC = "tokens"
STAMP = "lccp.sha256"
"""File beside one of our offline runs: the digest of its contents, and its project."""
OFFLINE_MODES = ("offline", "dryrun")
ID_DIGITS = 16
INIT_SECONDS, SENTENCE_LENGTH_MAX = 60, 300
QUIET: Mapping[str, Any] = {
    "console": "off",
    "silent": True,
    "disable_code": True,
    "disable_git": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}
"""Nothing about the exporting machine is sent to W&B: it is not the one that trains."""


class WandB:
    """The project `project`; offline runs (WANDB_MODE=offline) are below `folder`.

    Online, rows that W&B does not have are logged. An offline run is rewritten as a whole; the
    previous one is deleted, unless it was synchronized.
    """

    def __init__(self, project: str, folder: Path) -> None:
        self._project = project
        self._folder = folder

    def export(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> int:
        """Log rows that the run lacks; returns how many. Raises TrackerFailed."""
        with _failing():
            if wandb.setup().settings.mode in OFFLINE_MODES:
                return self._written(run, rows)
            history = self._history(run)
            new = [row for row in rows if not _known(row, history)]
            self._log(run, new)
            return len(new)

    def _written(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> int:
        """Write the offline run, unless an identical one exists."""
        said = f"{digest_of(rows, run)} {self._project}"
        ours = (self._folder / "wandb").glob(f"offline-run-*-{_id(run)}*/{STAMP}")
        written = {stamp.parent: stamp.read_text() for stamp in ours}
        if said in written.values():
            return 0
        (self._log(run, rows) / STAMP).write_text(said)
        for folder, text in written.items():
            if text.partition(" ")[2] == self._project and not list(folder.glob("*.synced")):
                shutil.rmtree(folder)
        return len(rows)

    def _history(self, run: TrackedRun) -> dict[int, set[str]]:
        """Names of the run's logged values, by tokens."""
        found: dict[int, set[str]] = {}
        try:
            history = wandb.Api().run(f"{self._project}/{_id(run)}").scan_history()
        except wandb.errors.CommError:
            return found
        for line in history:
            if line.get(STEP_METRIC) is not None:
                names = {name for name, value in line.items() if value is not None}
                found.setdefault(int(line[STEP_METRIC]), set()).update(names)
        return found

    def _log(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> Path:
        """Log `rows`; returns the folder in which W&B keeps them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        logged = wandb.init(
            project=self._project,
            id=_id(run),
            name=run.name,
            config=dict(run.parameters),
            dir=self._folder,
            resume="allow",
            settings=wandb.Settings(init_timeout=INIT_SECONDS, **QUIET),
        )
        logged.define_metric(STEP_METRIC)
        logged.define_metric("*", step_metric=STEP_METRIC)
        for row in rows:
            logged.log({STEP_METRIC: row.tokens, **row.values})
        logged.summary.update({f"verdict/{key}": value for key, value in run.verdict.items()})
        folder = Path(logged.dir).parent
        logged.finish()
        return folder


def _id(run: TrackedRun) -> str:
    return hashlib.sha256(f"{run.name} {run.digest}".encode()).hexdigest()[:ID_DIGITS]


def _known(row: TrackedRow, history: Mapping[int, set[str]]) -> bool:
    return row.values.keys() <= history.get(row.tokens, set())


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except (wandb.Error, OSError) as error:
        text = " ".join(str(error).split())[:SENTENCE_LENGTH_MAX]
        raise TrackerFailed(f"Weights & Biases: {text}") from None
