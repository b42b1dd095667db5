"""`lccp export`: log a run's training, signals and gains to an experiment tracker."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lccp_cli.options import Endpoint, RunTarget

if TYPE_CHECKING:
    from lccp.api.spec.export import TrackerKind

KINDS: "dict[str, TrackerKind]" = {
    "tensorboard": "TensorBoard",
    "mlflow": "MLflow",
    "wandb": "WandB",
}


def export(
    target: RunTarget,
    to: Annotated[
        Literal["tensorboard", "mlflow", "wandb"], typer.Option(help="Tracker to export to.")
    ],
    project: Annotated[
        str, typer.Option(help="MLflow experiment, or Weights & Biases project.")
    ] = "lccp",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for TensorBoard's event files and offline runs of Weights & Biases. "
            "Default: the run's exports/tensorboard, and the working directory.",
        ),
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Log a run to an experiment tracker, with tokens as the x-axis.

    Repeat the command at any time: only what is new is logged, and late results of old checkpoints
    appear at their tokens. MLFLOW_TRACKING_URI is MLflow's address; WANDB_API_KEY or wandb login
    authenticates to Weights & Biases; WANDB_MODE=offline sends nothing.

    Examples:

        lccp export runs/default/tiny --to tensorboard
        MLFLOW_TRACKING_URI=http://localhost:5000 lccp export runs/default/tiny --to mlflow
        WANDB_MODE=offline lccp export s3://bucket/prefix/team/my-run --to wandb
    """
    from lccp.contract.errors import InvalidInput
    from lccp.store.file import FileStore
    from lccp.store.keys import EVENT_FILES
    from lccp_cli.target import load_target
    from lccp_exporter.trackers.kinds import tracker_of
    from lccp_exporter.trackers.rows import TrackedRun, rows_of

    found = load_target(target, endpoint)
    store, prefix = found.store, f"{found.prefix}{EVENT_FILES}"
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                f"--out: {out}: can't be created as a folder: {error.strerror}"
            ) from None
        store, prefix = FileStore(out), f"{found.data.title}/"
    tracker = tracker_of(KINDS[to], project, store, prefix, out)
    rows = rows_of(found.data)
    logged = tracker.export(TrackedRun.of(found.data), rows)
    typer.echo(f"{found.data.title}: {logged} of {len(rows)} rows logged")
