"""Observing one run's part of a store: its facts, or since when and why they are unreadable."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Generic, TypeVar

from lccp.api.conditions import Reason
from lccp.api.objects.base import StoreObject
from lccp.contract.errors import LccpError, StoreUnavailable
from lccp.facts.facts import EvaluationKey
from lccp.facts.listing import Listing
from lccp.facts.reader import RunReader
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store
from lccp_operator.facts import KEEP, Facts
from lccp_operator.observed import Known, Unknown

WHAT_THEN = "nothing is started or judged until it answers; make sure that it is up and reachable"
REFUSED_THEN = (
    "nothing is started or judged until it accepts reads and writes; check its url, bucket and keys"
)
DAMAGED_THEN = (
    "nothing is started or judged: use the LCCP that wrote it, or restore the object from a copy"
)


def unreachable(error: LccpError) -> str:
    """What is wrong with an unusable store, and the consequence."""
    return f"{error}: {WHAT_THEN if isinstance(error, StoreUnavailable) else REFUSED_THEN}"


K = TypeVar("K", bound=Hashable)


class Hearing(Generic[K]):
    """When others last wrote what they write repeatedly, though their clocks may be wrong."""

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


class StoreObserver:
    """Observes one run of a store. Equal content is the same object in successive observations."""

    def __init__(self, store: Store, keys: RunKeys) -> None:
        self.store = store
        self.keys = keys
        self.found_run = False
        """Its run.json was there at the last reading."""
        self._reader = RunReader(store, keys, KEEP)
        self._since: datetime | None = None
        self._trainings: list[ObjectInfo] | None = None
        self._all = 0
        """Hash of the whole listing."""
        self._silent: LccpError | None = None
        """Why `moved` could not answer."""
        self._heard: Hearing[int] = Hearing()
        """Of attempts."""
        self._progressed: Hearing[EvaluationKey] = Hearing()

    def part(self, now: datetime) -> Known[Facts] | Unknown:
        """The facts, or since when and why they are unreadable."""
        silent, self._silent = self._silent, None
        try:
            if silent is not None:
                raise silent
            facts = self._facts()
        except LccpError as error:
            return self._unknown(now, unreachable(error), Reason.STORE_UNREACHABLE)
        for key in (self.keys.identity, self.keys.journal):
            if key in facts.damaged:
                why = f"{facts.damaged[key]}: {DAMAGED_THEN}"
                return self._unknown(now, why, Reason.STORED_OBJECT_DAMAGED)
        self._since = None
        return Known(self._timed(facts, now))

    def remember(self, key: str, value: StoreObject, etag: str) -> None:
        """This process wrote `value` at `key`: it need not be read."""
        self._reader.remember(key, value, etag)

    def moved(self, idle: bool = False) -> bool:
        """Whether a trainer wrote anything since the last reconcile: one LIST, and no GET.

        Every checkpoint and every end is followed by a heartbeat, or by the end of a workload. For
        an `idle` run, where nothing trains, any change or deletion counts. A store that does not
        answer counts too: `part` then says so, without another request.
        """
        try:
            if idle:
                return _hash(self._reader.listing()) != self._all
            return self.store.list(self.keys.trainings) != self._trainings
        except LccpError as error:
            self._silent = error
            return True

    def forget(self) -> None:
        """Drop what was read; the next reconcile reads it again."""
        self._reader.forget()

    def pack(self) -> None:
        """Keep what was read in less memory: it is not needed soon."""
        self._reader.pack()

    def _facts(self) -> Facts:
        listing = self._reader.listing()
        self.found_run = listing.get(self.keys.identity) is not None
        self._trainings = list(listing.below(self.keys.trainings))
        self._all = _hash(listing)
        return self._reader.facts(listing)

    def _timed(self, facts: Facts, now: datetime) -> Facts:
        """With the times at which the newest heartbeat and all progress were written."""
        newest = {n: facts.heartbeats[n].at for n in sorted(facts.heartbeats)[-1:]}
        heard = self._heard.times(newest, now)
        progress = facts.progress
        at = self._progressed.times({key: told.at for key, told in progress.items()}, now)
        return replace(
            facts,
            heard_at=next(iter(heard.values()), None),
            progress={k: told.model_copy(update={"at": at[k]}) for k, told in progress.items()},
        )

    def _unknown(self, now: datetime, why: str, reason: Reason) -> Unknown:
        self._since = self._since or now
        return Unknown(self._since, why, reason)


def _hash(listing: Listing) -> int:
    return hash(tuple((info.key, info.etag) for info in listing.below("")))
