"""The kinds of trackers."""

import os
from pathlib import Path

from lccp.api.spec.export import TrackerKind
from lccp.contract.errors import InvalidInput
from lccp.store.port import Store
from lccp_exporter.trackers.tracker import Tracker

MLFLOW_URI = "MLFLOW_TRACKING_URI"
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
}
"""Defaults for the libraries' environment: bounded waits, nothing sent to third parties."""


def tracker_of(
    kind: TrackerKind, project: str, store: Store, prefix: str, folder: Path | None = None
) -> Tracker:
    """The tracker of that kind.

    TensorBoard's event files go below `prefix` in `store`, Weights & Biases' offline runs into
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

            return MLflow(_mlflow_address(), project)
        case "WandB":
            from lccp_exporter.trackers.wandb import WandB

            return WandB(project, folder or Path())


def _mlflow_address() -> str:
    wanted = "must be the address of MLflow's server, such as http://localhost:5000"
    value = os.environ.get(MLFLOW_URI)
    if not value:
        raise InvalidInput(f"environment: {MLFLOW_URI} is not set: it {wanted}")
    if "://" not in value and value != "databricks":
        raise InvalidInput(f"environment: {MLFLOW_URI} {wanted}, not {value}")
    return value
