"""Metrics of the exporter itself, by store."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lccp_exporter.health import StoreHealth


@dataclass(frozen=True)
class StoreMetric:
    """A metric of the exporter itself, by store."""

    name: str
    help: str
    value: Callable[[StoreHealth], float | None]
    kind: Literal["gauge", "counter"] = "gauge"


STORES = (
    StoreMetric(
        "lccp_exporter_store_errors_total",
        "Times that a store could not be read.",
        lambda health: float(health.errors),
        "counter",
    ),
    StoreMetric(
        "lccp_exporter_store_refresh_timestamp_seconds",
        "When a store was last read, seconds since 1970; all metrics of its runs are of then.",
        lambda health: health.refreshed_at.timestamp() if health.refreshed_at else None,
    ),
    StoreMetric(
        "lccp_exporter_store_refresh_duration_seconds",
        "How long the last reading of a store took.",
        lambda health: health.duration_seconds,
    ),
    StoreMetric(
        "lccp_exporter_store_runs",
        "Runs of a store that have series.",
        lambda health: float(health.runs),
    ),
)
