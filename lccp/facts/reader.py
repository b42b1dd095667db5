"""Reading a run again and again: what there is by a listing, and a GET of what changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress, EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, NotFound
from lccp.facts.facts import Checkpoint, EvaluationKey, RunFacts
from lccp.facts.listing import Listing, attempt_of
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store

R = TypeVar("R")
V = TypeVar("V")
T = TypeVar("T")
Object = TypeVar("Object", bound=StoreObject)

Read = Callable[[bytes, str], T]
"""Makes of an object's bytes what is kept of it; its key is for messages. Raises InvalidInput."""


@dataclass(frozen=True)
class Keep(Generic[R, V]):
    """What a reader keeps of a report and of the verdict, of which there is most."""

    report: Callable[[EvaluationReport], R]
    verdict: Callable[[Verdict], V]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a GET gave: an object, or the sentence that says why it can't be read."""

    etag: str
    value: Any
    damage: str = ""


class RunReader(Generic[R, V]):
    """Reads one run of a store, and remembers by ETag what it read: each object is parsed once.

    Equal content is the same object from one reading to the next. An object that is damaged, of
    another version, or about something else than its key says, is left out, and named; a damaged
    verdict is as good as none, since it is made anew.
    """

    def __init__(self, store: Store, keys: RunKeys, keep: Keep[R, V]) -> None:
        self.store = store
        self.keys = keys
        self._keep = keep
        self._known: dict[str, _Kept] = {}

    def listing(self) -> Listing:
        """The objects that there are. Raises StoreUnavailable, InvalidInput as a store does."""
        return Listing.of(self.store, self.keys)

    def facts(self, listing: Listing) -> RunFacts[R, V]:
        """What the store holds, by a listing that was just made. Raises as a store does."""
        reading = _Reading(self.store, self.keys, self._known)
        facts = self._read(reading, listing)
        self._known = reading.seen
        return facts

    def remember(self, key: str, value: StoreObject, etag: str) -> None:
        """This process wrote `value` there: it need not be read."""
        kept = self._keep.verdict(value) if isinstance(value, Verdict) else value
        self._known[key] = _Kept(etag, kept)

    def forget(self) -> None:
        """Drop what was read; the next reading reads it again."""
        self._known = {}

    def _read(self, reading: "_Reading", listing: Listing) -> RunFacts[R, V]:
        keys, keep = self.keys, self._keep
        identity, identity_etag = reading.with_etag(listing.get(keys.identity), RunIdentity)
        journal, journal_etag = reading.with_etag(listing.get(keys.journal), Journal)
        newest_control = dict(sorted(listing.controls().items())[-1:])
        reports = listing.evaluations("report.json")
        verdict = listing.get(keys.verdict)
        return RunFacts(
            identity=identity,
            identity_etag=identity_etag,
            journal=journal or Journal(),
            journal_etag=journal_etag,
            controls=reading.each(newest_control, lambda _: _object(Control)),
            heartbeats=reading.newest(listing.of_writers("heartbeat.json"), Heartbeat),
            ends=reading.newest(listing.of_writers("end.json"), End),
            checkpoints=reading.each(listing.manifests(keys.checkpoints), _checkpoint),
            has_state=any(True for _ in listing.below(keys.states)),
            reports=reading.each(reports, lambda key: _report(key, keep.report)),
            progress=reading.each(
                listing.evaluations("progress.json"), lambda _: _object(EvaluationProgress)
            ),
            failures=reading.each(
                listing.evaluations("failure.json"), lambda _: _object(EvaluationFailure)
            ),
            verdict=reading.get(verdict, _object(Verdict, keep.verdict)) if verdict else None,
            damaged={k: v for k, v in reading.damaged.items() if k != keys.verdict},
            damaged_reports={
                key: reading.damaged[info.key]
                for key, info in reports.items()
                if info.key in reading.damaged
            },
        )


K = TypeVar("K")


class _Reading:
    """One reading of the store: what it saw, and what of it is damaged."""

    def __init__(self, store: Store, keys: RunKeys, known: Mapping[str, _Kept]) -> None:
        self._store = store
        self._known = known
        self._keys = keys
        self.seen: dict[str, _Kept] = {}
        self.damaged: dict[str, str] = {}

    def get(self, info: ObjectInfo, read: Read[T]) -> T | None:
        """What is kept of the object; None if it is gone by now, or damaged."""
        kept = self._known.get(info.key)
        if kept is None or kept.etag != info.etag:
            kept = self._fetched(info, read)
        if kept is None:
            return None
        self.seen[info.key] = kept
        if kept.damage:
            self.damaged[info.key] = kept.damage
        value: T | None = kept.value
        return value

    def with_etag(
        self, info: ObjectInfo | None, kind: type[Object]
    ) -> tuple[Object | None, str | None]:
        """The object and its ETag, of the very bytes that were read."""
        value = self.get(info, _object(kind)) if info is not None else None
        if info is None or value is None:
            return None, None
        return value, self.seen[info.key].etag

    def each(self, infos: Mapping[K, ObjectInfo], reader_of: Callable[[K], Read[T]]) -> dict[K, T]:
        """What is kept of each object that can be read."""
        found = ((key, self.get(infos[key], reader_of(key))) for key in sorted(infos))  # type: ignore[type-var]
        return {key: value for key, value in found if value is not None}

    def newest(self, infos: Mapping[str, ObjectInfo], kind: type[Object]) -> dict[int, Object]:
        """By attempt, the object of the writer that wrote last."""
        found: dict[int, Object] = {}
        for writer, info in infos.items():
            value = self.get(info, _object(kind))
            if value is not None:
                found[attempt_of(writer)] = value
        return found

    def _fetched(self, info: ObjectInfo, read: Read[Any]) -> _Kept | None:
        try:
            entry = self._store.get_entry(info.key)
        except NotFound:
            return None
        try:
            return _Kept(entry.etag, read(entry.data, info.key))
        except InvalidInput as error:
            return _Kept(entry.etag, None, str(error))


def _object(kind: type[Object], take: Callable[[Object], Any] = lambda value: value) -> Read[Any]:
    """Reads an object, and takes of it what is kept."""
    return lambda data, key: take(kind.from_json(data, key))


def _report(of: EvaluationKey, take: Callable[[EvaluationReport], R]) -> Read[R]:
    def read(data: bytes, key: str) -> R:
        report = EvaluationReport.from_json(data, key)
        if (report.tokens, report.suite) != of:
            about = f"{report.tokens:,} tokens, suite {report.suite}"
            raise InvalidInput(f"{key}: is the report of another evaluation ({about})")
        return take(report)

    return read


def _checkpoint(tokens: int) -> Read[Checkpoint]:
    def read(data: bytes, key: str) -> Checkpoint:
        manifest = Manifest.from_json(data, key)
        if manifest.tokens != tokens:
            raise InvalidInput(f"{key}: is the manifest of {manifest.tokens:,} tokens")
        size = sum(record.size for record in manifest.files.values())
        return Checkpoint(tokens, manifest.step, manifest.writer, manifest.digest, size)

    return read
