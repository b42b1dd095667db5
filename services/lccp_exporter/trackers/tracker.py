"""What a tracker is, and which there are."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lccp.api.spec.export import TrackerKind
from lccp.contract.errors import InvalidInput, LccpError
from lccp.store.port import Store
from lccp_exporter.trackers.rows import Row, TrackedRun

MLFLOW_URI = "MLFLOW_TRACKING_URI"
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
}
"""Of the libraries, where nobody says otherwise: bounded waits, nothing told to third parties."""


class TrackerFailed(LccpError):
    """The tracker did not answer, or refused; what was logged before stays logged."""


class Tracker(Protocol):
    """Something that rows of a run are logged to; done again, it logs what is new."""

    def export(self, run: TrackedRun, rows: Sequence[Row]) -> int:
        """Log the rows that are not there yet; how many. Raises TrackerFailed, StoreUnavailable."""


def tracker_of(
    kind: TrackerKind, project: str, store: Store, prefix: str, folder: Path | None = None
) -> Tracker:
    """The tracker of that kind.

    Event files of TensorBoard go below `prefix` in `store`, offline runs of Weights & Biases into
    `folder`. Raises InvalidInput, ModuleNotFoundError.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    match kind:
        case "TensorBoard":
            from lccp_exporter.trackers.tensorboard import TensorBoard

            return TensorBoard(store, prefix)
        case "MLflow":
            from lccp_exporter.trackers.mlflow import MLflow

            return MLflow(_given(MLFLOW_URI, "the address of MLflow's server"), project)
        case "WandB":
            from lccp_exporter.trackers.wandb import WandB

            return WandB(project, folder or Path())


def _given(variable: str, what: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise InvalidInput(f"environment: {variable} is not set: it must be {what}")
    return value
