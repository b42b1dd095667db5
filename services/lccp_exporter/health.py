"""How the reading of a store goes."""

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
