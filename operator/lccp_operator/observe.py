"""Observing one run's part of a store: its facts, or since when and why they are unreadable."""

from dataclasses import replace
from datetime import datetime

from lccp.api.conditions import Reason
from lccp.api.objects.base import StoreObject
from lccp.contract.errors import LccpError, StoreUnavailable
from lccp.facts.facts import EvaluationKey
from lccp.facts.listing import Listing
from lccp.facts.reader import RunReader
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store
from lccp_operator.facts import KEEP, Facts
from lccp_operator.hearing import Hearing
from lccp_operator.observed import Known, Unknown

WHAT_THEN = (
    "nothing is started or judged until it answers; make sure that it is up, reachable and not full"
)
REFUSED_THEN = (
    "nothing is started or judged until it accepts reads and writes; check its url, bucket and keys"
)
DAMAGED_THEN = (
    "nothing is started or judged: use the LCCP that wrote it, or restore the object from a copy"
)


def unreachable(error: LccpError) -> str:
    """What is wrong with an unusable store, and the consequence."""
    return f"{error}: {WHAT_THEN if isinstance(error, StoreUnavailable) else REFUSED_THEN}"


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
        self._ended: Hearing[str] = Hearing()
        """Of writers."""

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
        """With the times at which the newest heartbeat, all progress and all ends were written."""
        newest = {n: facts.heartbeats[n].at for n in sorted(facts.heartbeats)[-1:]}
        heard = next(iter(self._heard.heard(newest, now).values()), None)
        progress = facts.progress
        told = self._progressed.heard({key: one.at for key, one in progress.items()}, now)
        ends = {one.writer: one.end.at for one in facts.told if one.end is not None}
        ended = self._ended.heard(ends, now)
        return replace(
            facts,
            heard_at=heard.at if heard else None,
            seen_at=heard.seen if heard else None,
            progress={k: p.model_copy(update={"at": told[k].at}) for k, p in progress.items()},
            progress_seen={key: one.seen for key, one in told.items()},
            told=tuple(
                replace(one, ended_at=ended[one.writer].at) if one.end is not None else one
                for one in facts.told
            ),
        )

    def _unknown(self, now: datetime, why: str, reason: Reason) -> Unknown:
        self._since = self._since or now
        return Unknown(self._since, why, reason)


def _hash(listing: Listing) -> int:
    return hash(tuple((info.key, info.etag) for info in listing.below("")))
