"""`spec.export`: experiment trackers that the run is exported to.

The exporter reads it from `control/<attempt>.json`, so a change takes effect at the next attempt.
"""

from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract

TrackerKind = Literal["TensorBoard", "MLflow", "WandB"]


class ExportSpec(Contract):
    """One tracker that receives training, signals and gains, with tokens as the x-axis."""

    to: Annotated[
        TrackerKind,
        Field(
            description="Tracker. Its address and credentials come from the exporter's "
            "environment: MLFLOW_TRACKING_URI, WANDB_API_KEY. TensorBoard: event files below "
            "`exports/tensorboard/` in the run's store."
        ),
    ]
    project: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$",
            description="MLflow experiment, or Weights & Biases project.",
        ),
    ] = "lccp"
