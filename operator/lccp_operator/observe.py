"""What the store holds of a run, read with a LIST of what there is and a GET of what changed.

A LIST of the run's first level tells which parts exist; each of them takes one more.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from lccp.api.conditions import Reason
from lccp.api.labels import INTRINSIC
from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, LccpError, NotFound
from lccp.store.keys import RunKeys, tokens_of
from lccp.store.objects import named
from lccp.store.port import ObjectInfo, Store
from lccp_operator.facts import Facts
from lccp_operator.observed import Known, Unknown
from lccp_operator.packed import PackedReport

REPORT, PROGRESS, FAILURE = (
    f"{INTRINSIC}/{name}.json" for name in ("report", "progress", "failure")
)
CONTROL = re.compile(r"([0-9]+)\.json")
WRITER = re.compile(r"a([1-9][0-9]*)-[0-9a-f]+")
WHAT_THEN = "nothing is started or judged until it answers; see that it is up and reachable"

T = TypeVar("T", bound=StoreObject | PackedReport)


def unreachable(error: LccpError) -> str:
    """What is wrong with a store that can't be read, and what follows."""
    return f"{error}: {WHAT_THEN}"


@dataclass(frozen=True)
class _Read:
    """What a GET gave: an object, or the sentence that says why it can't be read."""

    etag: str
    size: int
    value: StoreObject | PackedReport | None
    damage: str = ""


@dataclass
class StoreObserver:
    """Reads one run's part of a store, and remembers what it read by ETag.

    Equal content is the same object from one reconcile to the next.
    """

    store: Store
    keys: RunKeys
    _cache: dict[str, _Read] = field(default_factory=dict)
    _since: datetime | None = None
    _trainings: list[ObjectInfo] | None = None
    _silent: LccpError | None = None
    """Why `moved` could not be told."""

    def part(self, now: datetime) -> Known[Facts] | Unknown:
        """The facts, or since when and why they can't be read."""
        silent, self._silent = self._silent, None
        try:
            if silent is not None:
                raise silent
            facts = self.facts()
        except LccpError as error:
            self._since = self._since or now
            return Unknown(self._since, unreachable(error), Reason.STORE_UNREACHABLE)
        self._since = None
        return Known(facts)

    def remember(self, key: str, value: StoreObject, etag: str) -> None:
        """This process wrote `value` there: it need not be read."""
        self._cache[key] = _Read(etag, len(value.to_json()), value)

    def moved(self) -> bool:
        """Whether a trainer wrote anything since the last reconcile: one LIST, and no GET.

        Every checkpoint and every end is followed by a heartbeat, or by the end of a workload. A
        store that does not answer counts too: `part` then says so, without asking again.
        """
        try:
            return self.store.list(self.keys.trainings) != self._trainings
        except LccpError as error:
            self._silent = error
            return True

    @property
    def held_bytes(self) -> int:
        """Size in the store of what is remembered."""
        return sum(read.size for read in self._cache.values())

    def forget(self) -> None:
        """Drop what was read; the next reconcile reads it again."""
        self._cache = {}

    def facts(self) -> Facts:
        """What the store holds.

        Raises:
            StoreUnavailable: it does not answer.
            InvalidInput: it refuses, or `run.json` or the journal is damaged.
        """
        reading = _Reading(self.store, self.keys, self._cache)
        identity, identity_etag = reading.must_read(self.keys.identity, RunIdentity)
        journal, journal_etag = reading.must_read(self.keys.journal, Journal)
        trainings = self._trainings = reading.listed(self.keys.trainings)
        checkpoints = reading.listed(self.keys.checkpoints)
        manifests = reading.by_tokens(checkpoints, self.keys.checkpoints, "manifest.json", Manifest)
        evaluations, below = reading.listed(self.keys.evaluations), self.keys.evaluations
        facts = Facts(
            identity=identity,
            identity_etag=identity_etag,
            journal=journal or Journal(),
            journal_etag=journal_etag,
            controls=reading.controls(),
            has_state=not manifests and bool(reading.listed(self.keys.states)),
            heartbeats=reading.newest(trainings, "heartbeat.json", Heartbeat),
            ends=reading.newest(trainings, "end.json", End),
            checkpoints=manifests,
            reports=reading.by_tokens(evaluations, below, f"{INTRINSIC}/report.json", PackedReport),
            progress=reading.by_tokens(
                evaluations, below, f"{INTRINSIC}/progress.json", EvaluationProgress
            ),
            failures=reading.by_tokens(
                evaluations, below, f"{INTRINSIC}/failure.json", EvaluationFailure
            ),
            verdict=reading.verdict(),
            damaged=dict(reading.damaged),
            damaged_reports=reading.damaged_reports(),
        )
        self._cache = reading.seen
        return facts


class _Reading:
    """One reading of the store: what it found, and what of it is damaged."""

    def __init__(self, store: Store, keys: RunKeys, cache: Mapping[str, _Read]) -> None:
        self.store = store
        self.keys = keys
        self.cache = cache
        self.seen: dict[str, _Read] = {}
        self.damaged: dict[str, str] = {}
        self.top = store.level(keys.prefix)

    def listed(self, prefix: str) -> list[ObjectInfo]:
        return self.store.list(prefix) if prefix in self.top.prefixes else []

    def controls(self) -> dict[int, Control]:
        """What the newest attempt is asked: nothing else is of use."""
        below = self.keys.controls
        pairs = ((CONTROL.fullmatch(i.key.removeprefix(below)), i) for i in self.listed(below))
        found = {int(match[1]): info for match, info in pairs if match}
        newest = max(found, default=0)
        control = self._read(found[newest], Control) if found else None
        return {newest: control} if control is not None else {}

    def verdict(self) -> Verdict | None:
        """The last verdict; a damaged one is as good as none, since it is made anew."""
        info = _find(self.listed(self.keys.analyses), self.keys.verdict)
        found = self._read(info, Verdict) if info else None
        self.damaged.pop(self.keys.verdict, None)
        return found

    def newest(self, infos: list[ObjectInfo], name: str, type_: type[T]) -> dict[int, T]:
        """The newest object `name` of all writers of an attempt, by attempt."""
        found: dict[int, T] = {}
        for info in sorted(infos, key=lambda info: info.modified):
            writer, _, rest = info.key.removeprefix(self.keys.trainings).partition("/")
            match = WRITER.fullmatch(writer)
            value = self._read(info, type_) if match and rest == name else None
            if match and value is not None:
                found[int(match[1])] = value
        return found

    def by_tokens(
        self, infos: list[ObjectInfo], below: str, name: str, type_: type[T]
    ) -> dict[int, T]:
        """The objects `<below>/<tokens>/<name>`, by tokens."""
        found: dict[int, T] = {}
        for tokens, info in named(infos, below, name):
            value = self._read(info, type_)
            if value is not None:
                found[tokens] = value
        return found

    def damaged_reports(self) -> dict[int, str]:
        below = self.keys.evaluations
        return {
            tokens_of(key, below): sentence
            for key, sentence in self.damaged.items()
            if key.startswith(below) and key.endswith("/report.json")
        }

    def must_read(self, key: str, type_: type[T]) -> tuple[T | None, str | None]:
        """The object of the first level and its ETag, None if there is none.

        Raises InvalidInput if it is damaged.
        """
        info = _find(self.top.objects, key)
        value = self._read(info, type_) if info else None
        if key in self.damaged:
            raise InvalidInput(self.damaged[key])
        return value, self.seen[key].etag if value is not None else None

    def _read(self, info: ObjectInfo, type_: type[T]) -> T | None:
        known = self.cache.get(info.key)
        if known is None or known.etag != info.etag:
            known = self._get(info, type_)
        if known is None:
            return None
        self.seen[info.key] = known
        if known.damage:
            self.damaged[info.key] = known.damage
        return known.value if isinstance(known.value, type_) else None

    def _get(self, info: ObjectInfo, type_: type[T]) -> _Read | None:
        try:
            entry = self.store.get_entry(info.key)
        except NotFound:
            return None
        size = len(entry.data)
        try:
            return _Read(entry.etag, size, type_.from_json(entry.data, info.key))
        except InvalidInput as error:
            return _Read(entry.etag, size, None, str(error))


def _find(infos: list[ObjectInfo], key: str) -> ObjectInfo | None:
    return next((info for info in infos if info.key == key), None)
