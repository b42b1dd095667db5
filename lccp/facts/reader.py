"""Reading a run repeatedly: one listing to find its objects, and a GET of those that changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from lccp.api.objects.base import StoreObject
from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress, EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, NotFound
from lccp.facts import decoding
from lccp.facts.decoding import Kept, Read
from lccp.facts.facts import Checkpoint, EvaluationKey, RunFacts, Told
from lccp.facts.listing import Listing, attempt_of, by_attempt
from lccp.facts.packing import Packed
from lccp.store.keys import BranchKeys, RunKeys
from lccp.store.port import ObjectInfo, Store

R = TypeVar("R")
V = TypeVar("V")
T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True)
class Keep(Generic[R, V]):
    """What a reader keeps of reports and verdict, the largest part of a run."""

    report: Callable[[EvaluationReport], R]
    verdict: Callable[[Verdict], V]


class RunReader(Generic[R, V]):
    """Reads one run of a store, and remembers by ETag what it read: each object is parsed once.

    Equal content is the same object from one reading to the next, or an equal one after `pack`.
    Objects that are damaged, of another version, or not what their keys say are left out and named.
    A damaged verdict or damaged conditions count as missing: they are recreated.
    """

    def __init__(self, store: Store, keys: RunKeys, keep: Keep[R, V]) -> None:
        self.store = store
        self.keys = keys
        self._keep = keep
        self._known: dict[str, Kept] | Packed[dict[str, Kept]] = {}

    def listing(self) -> Listing:
        """The objects that exist. Raises as a store does."""
        return Listing.of(self.store, self.keys)

    def facts(self, listing: Listing) -> RunFacts[R, V]:
        """What the store holds, by a fresh listing."""
        return self.read(listing, facts_of)

    def read(self, listing: Listing, make: "Callable[[RunReading[R, V]], T]") -> T:
        """The result of `make` on the parts that it reads; the others are forgotten.

        Raises as a store does.
        """
        reading = RunReading(self.store, self.keys, self._keep, listing, self._unpacked())
        made = make(reading)
        self._known = reading.seen
        return made

    def remember(self, key: str, value: StoreObject, etag: str) -> None:
        """This process wrote `value` at `key`: it need not be read."""
        kept: Any = value.digest if isinstance(value, RunConditions) else value
        kept = self._keep.verdict(value) if isinstance(value, Verdict) else kept
        self._unpacked()[key] = Kept(etag, kept)

    def forget(self) -> None:
        """Drop what was read; the next reading reads it again."""
        self._known = {}

    def pack(self) -> None:
        """Keep what was read in less memory, until it is needed again."""
        if not isinstance(self._known, Packed):
            self._known = Packed(self._known)

    def _unpacked(self) -> dict[str, Kept]:
        if isinstance(self._known, Packed):
            self._known = self._known.unpacked()
        return self._known


class RunReading(Generic[R, V]):
    """One reading of a run, part by part: what was read, and what of that is damaged."""

    def __init__(
        self,
        store: Store,
        keys: RunKeys,
        keep: Keep[R, V],
        listing: Listing,
        known: Mapping[str, Kept],
    ) -> None:
        self.keys = keys
        self.listing = listing
        self._store = store
        self._keep = keep
        self._known = known
        self.seen: dict[str, Kept] = {}
        self.damaged: dict[str, str] = {}
        """Objects that can't be read: sentence, by key."""

    def identity(self, take: Callable[[RunIdentity], T]) -> tuple[T | None, str | None]:
        """What is kept of the identity, and its ETag."""
        return self._with_etag(self.keys.identity, decoding.whole(RunIdentity, take))

    def journal(
        self, take: Callable[[Journal], Journal] = lambda journal: journal
    ) -> tuple[Journal | None, str | None]:
        """The journal, or what is kept of it, and its ETag."""
        return self._with_etag(self.keys.journal, decoding.whole(Journal, take))

    def control(self, take: Callable[[Control], T]) -> dict[int, T]:
        """What is kept of the requests to the newest attempt, by its number."""
        newest = dict(sorted(self.listing.controls().items())[-1:])
        return self._each(newest, lambda _: decoding.whole(Control, take))

    def heartbeats(self, keys: BranchKeys | None = None) -> dict[int, Heartbeat]:
        """By attempt, of the run or of a branch, the heartbeat of the writer that wrote last."""
        found = self.listing.of_writers("heartbeat.json", keys)
        return self._each(by_attempt(found), lambda _: decoding.whole(Heartbeat))

    def ends(self, keys: BranchKeys | None = None) -> dict[int, End]:
        """By attempt, how its last writer ended; an earlier one's end is not the attempt's."""
        last = {attempt_of(writer): writer for writer in self.listing.writers(keys)}.values()
        found = self.listing.of_writers("end.json", keys)
        ended = {writer: info for writer, info in found.items() if writer in last}
        return self._each(by_attempt(ended), lambda _: decoding.whole(End))

    def of_writers(self) -> dict[str, Told]:
        """What each writer of the run, then of its branches, reported; later writers come last."""
        listing, found = self.listing, self.listing.of_all_writers
        beats = self._each(found("heartbeat.json"), lambda _: decoding.whole(Heartbeat))
        ends = self._each(found("end.json"), lambda _: decoding.whole(End))
        told = {w: Told(attempt_of(w), beats.get(w), ends.get(w), w) for w in listing.all_writers()}
        return {writer: one for writer, one in told.items() if one.heartbeat or one.end}

    def checkpoints(self) -> dict[int, Checkpoint]:
        """By tokens, oldest first."""
        return self._each(self.listing.manifests(self.keys.checkpoints), decoding.checkpoint)

    def branches(self) -> dict[int, Checkpoint]:
        """Checkpoints at the ends of branches, by the tokens at which each began, oldest first."""
        made = ((b, self.listing.manifests(b.checkpoints)) for b in self.listing.branches())
        ends = {b.trunk_tokens: self._each(found, decoding.checkpoint) for b, found in made}
        return {tokens: found[max(found)] for tokens, found in ends.items() if found}

    def reports(self) -> dict[EvaluationKey, R]:
        """By tokens and suite, oldest first."""
        keep = self._keep.report
        return self._each(self._reports(), lambda key: decoding.report(key, keep))

    def damaged_reports(self) -> dict[EvaluationKey, str]:
        """The sentences about damaged reports."""
        told = self.damaged
        return {key: told[info.key] for key, info in self._reports().items() if info.key in told}

    def progress(self) -> dict[EvaluationKey, EvaluationProgress]:
        found = self.listing.evaluations("progress.json")
        return self._each(found, lambda _: decoding.whole(EvaluationProgress))

    def failures(self) -> dict[EvaluationKey, EvaluationFailure]:
        found = self.listing.evaluations("failure.json")
        return self._each(found, lambda _: decoding.whole(EvaluationFailure))

    def verdict(self) -> V | None:
        return self._with_etag(self.keys.verdict, decoding.whole(Verdict, self._keep.verdict))[0]

    def conditions(self, take: Callable[[RunConditions], T]) -> T | None:
        """What is kept of the run object's conditions, as last changed."""
        return self._with_etag(self.keys.conditions, decoding.whole(RunConditions, take))[0]

    def _reports(self) -> dict[EvaluationKey, ObjectInfo]:
        return self.listing.evaluations("report.json")

    def _get(self, info: ObjectInfo, read: Read[T]) -> T | None:
        """What is kept of the object; None if it is gone by now, or damaged."""
        kept = self.seen.get(info.key) or self._known.get(info.key)
        if kept is None or kept.etag != info.etag:
            kept = self._fetched(info, read)
        if kept is None:
            return None
        self.seen[info.key] = kept
        if kept.damage:
            self.damaged[info.key] = kept.damage
        value: T | None = kept.value
        return value

    def _with_etag(self, key: str, read: Read[T]) -> tuple[T | None, str | None]:
        """What is kept of the object, and the ETag of exactly the bytes that were read."""
        info = self.listing.get(key)
        value = self._get(info, read) if info is not None else None
        return (None, None) if value is None else (value, self.seen[key].etag)

    def _each(self, infos: Mapping[K, ObjectInfo], reader_of: Callable[[K], Read[T]]) -> dict[K, T]:
        """What is kept of each object that can be read."""
        found = ((key, self._get(infos[key], reader_of(key))) for key in sorted(infos))  # type: ignore[type-var]
        return {key: value for key, value in found if value is not None}

    def _fetched(self, info: ObjectInfo, read: Read[Any]) -> Kept | None:
        try:
            entry = self._store.get_entry(info.key)
        except NotFound:
            return None
        try:
            return Kept(entry.etag, read(entry.data, info.key))
        except InvalidInput as error:
            return Kept(entry.etag, None, str(error))


def facts_of(reading: RunReading[R, V]) -> RunFacts[R, V]:
    """All parts of the run."""
    identity, identity_etag = reading.identity(lambda identity: identity)
    journal, journal_etag = reading.journal()
    facts = RunFacts(
        identity=identity,
        identity_etag=identity_etag,
        journal=journal or Journal(),
        journal_etag=journal_etag,
        controls=reading.control(lambda control: control),
        tells_to_stop=reading.listing.get(reading.keys.stop) is not None,
        heartbeats=_of_all(reading, reading.heartbeats),
        ends=_of_all(reading, reading.ends),
        told=tuple(reading.of_writers().values()),
        checkpoints=reading.checkpoints(),
        branches=reading.branches(),
        said=reading.conditions(lambda told: told.digest),
        newest_state=reading.listing.newest_state(),
        reports=reading.reports(),
        progress=reading.progress(),
        failures=reading.failures(),
        verdict=reading.verdict(),
    )
    made_anew = (reading.keys.verdict, reading.keys.conditions)
    damaged = {k: v for k, v in reading.damaged.items() if k not in made_anew}
    return replace(facts, damaged=damaged, damaged_reports=reading.damaged_reports())


def _of_all(
    reading: RunReading[R, V], told: Callable[[BranchKeys | None], dict[int, T]]
) -> dict[int, T]:
    """What attempts of the run and of its branches reported; they are numbered together."""
    return {n: one for keys in (None, *reading.listing.branches()) for n, one in told(keys).items()}
