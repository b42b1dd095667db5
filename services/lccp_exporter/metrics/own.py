"""Metrics of the exporter itself: by store, and by run and tracker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from lccp_exporter.health import ExportHealth, ReadHealth

Health = TypeVar("Health", ReadHealth, ExportHealth)
STORE_LABELS = ("store",)
EXPORT_LABELS = ("namespace", "run", "tracker")


@dataclass(frozen=True)
class OwnMetric(Generic[Health]):
    """A metric of the exporter itself."""

    name: str
    help: str
    value: Callable[[Health], float | None]
    """None: unknown, no sample."""
    kind: Literal["gauge", "counter"] = "gauge"


STORES: tuple[OwnMetric[ReadHealth], ...] = (
    OwnMetric(
        "lccp_exporter_store_errors_total",
        "Number of failed reads of a store.",
        lambda health: float(health.errors),
        "counter",
    ),
    OwnMetric(
        "lccp_exporter_store_refresh_timestamp_seconds",
        "When a store was last read, seconds since 1970; all metrics of its runs date from then. "
        "Until it could be read, when the exporter started.",
        lambda health: health.refreshed_at.timestamp(),
    ),
    OwnMetric(
        "lccp_exporter_store_refresh_duration_seconds",
        "Duration of the last read of a store.",
        lambda health: health.duration_seconds,
    ),
    OwnMetric(
        "lccp_exporter_store_runs",
        "Runs of a store that have series.",
        lambda health: float(health.runs),
    ),
)

EXPORTS: tuple[OwnMetric[ExportHealth], ...] = (
    OwnMetric(
        "lccp_exporter_export_timestamp_seconds",
        "When a run was last logged to a tracker that its spec names, seconds since 1970.",
        lambda health: health.exported_at.timestamp() if health.exported_at else None,
    ),
    OwnMetric(
        "lccp_exporter_export_failed",
        "1 if the last attempt to log the run to the tracker failed, else 0.",
        lambda health: float(health.failed),
    ),
)
