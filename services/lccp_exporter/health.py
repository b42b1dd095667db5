"""Health of the reading of stores, and of the exports to trackers."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ReadHealth:
    """Health of the reading of one store."""

    store: str
    refreshed_at: datetime
    """When it was last read; until it could be, when that was first tried."""
    errors: int = 0
    duration_seconds: float | None = None
    runs: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.store,)


@dataclass(frozen=True)
class ExportHealth:
    """Health of the export of one run to one tracker."""

    namespace: str
    run: str
    tracker: str
    failed: bool = False
    """Whether the last try failed."""
    exported_at: datetime | None = None
    """Time of the last success."""

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.namespace, self.run, self.tracker)
