"""When others last wrote what they write repeatedly, though their clocks may be wrong."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Hearing(Generic[K]):
    """Compares the times that writers tell with those of the looks at what they wrote."""

    def __init__(self) -> None:
        self._looked_at: datetime | None = None
        self._known: Mapping[K, tuple[datetime, datetime]] = {}
        """What each told last, and when it was written."""

    def times(self, told: Mapping[K, datetime], now: datetime) -> dict[K, datetime]:
        """When each was written, by a look at `now`: when it tells, if that is possible.

        The clock of a writer's node may be wrong: it wrote after the last look, and by `now`.
        """
        self._known = {key: self._heard(key, at, now) for key, at in told.items()}
        self._looked_at = now
        return {key: heard for key, (_, heard) in self._known.items()}

    def _heard(self, key: K, at: datetime, now: datetime) -> tuple[datetime, datetime]:
        known = self._known.get(key)
        if known is not None and known[0] == at:
            return known
        possible = (self._looked_at or at) <= at <= now
        return at, at if possible else now
