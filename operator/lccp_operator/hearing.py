"""When others wrote what they write, whatever the clocks of their nodes say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Heard:
    """One value that somebody wrote, with its time. All times are UTC."""

    told: datetime
    """When it was written, by the clock of its writer's node."""
    at: datetime
    """When it was written, by the clock of the one who looks: as told, if that is possible."""
    seen: datetime
    """The look that found it: it was written by then."""


class Hearing(Generic[K]):
    """Remembers, over successive looks, when what others write was written and first seen.

    The clock of a writer's node may be wrong, but it wrote after the last look, and by this one.
    Of what the first look finds, only the latter is known.
    """

    def __init__(self) -> None:
        self._looked_at: datetime | None = None
        self._known: Mapping[K, Heard] = {}

    def heard(self, told: Mapping[K, datetime], now: datetime) -> Mapping[K, Heard]:
        """What a look at `now` finds, with the time that each tells."""
        self._known = {key: self._heard(key, at, now) for key, at in told.items()}
        self._looked_at = now
        return self._known

    def _heard(self, key: K, told: datetime, now: datetime) -> Heard:
        known = self._known.get(key)
        if known is not None and known.told == told:  # the clock of the one who looks may go back
            return Heard(told, min(known.at, now), min(known.seen, now))
        possible = (self._looked_at or told) <= told <= now
        return Heard(told, told if possible else now, now)
