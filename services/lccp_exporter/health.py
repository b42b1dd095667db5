"""How the reading of stores, and the exports to trackers go."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StoreHealth:
    """How the reading of one store goes."""

    store: str
    errors: int = 0
    refreshed_at: datetime | None = None
    duration_seconds: float | None = None
    runs: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.store,)


@dataclass(frozen=True)
class ExportHealth:
    """How the export of one run to one tracker goes."""

    namespace: str
    run: str
    tracker: str
    failed: bool = False
    """The last try."""
    exported_at: datetime | None = None
    """The last success."""

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.namespace, self.run, self.tracker)
