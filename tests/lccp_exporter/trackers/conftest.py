"""A run at two moments: the second with more steps, and with the result of an old checkpoint."""

import os
from pathlib import Path

import a_run
import pytest

from lccp.report.load import RunData
from lccp.store.file import FileStore
from lccp.store.objects import write
from lccp_exporter.trackers.kinds import ENVIRONMENT

os.environ.update(ENVIRONMENT)
"""As the product does, before MLflow is imported: a thread of its telemetry changes the environment
that calls are reading."""

LATE = a_run.CHECKPOINTS[2]
"""Its report comes after those of younger checkpoints."""


@pytest.fixture
def early(tmp_path: Path) -> RunData:
    store = FileStore(tmp_path / "early")
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[4]))
    store.delete(f"{a_run.KEYS.evaluation(LATE)}report.json")
    return RunData.from_store(store, a_run.KEYS)


@pytest.fixture
def whole(tmp_path: Path) -> RunData:
    store = FileStore(tmp_path / "whole")
    a_run.put(store, a_run.finished())
    write(
        store, a_run.KEYS.journal, a_run.journal().model_copy(update={"finished_at": a_run.START})
    )
    return RunData.from_store(store, a_run.KEYS)
