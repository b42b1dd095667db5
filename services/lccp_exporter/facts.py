"""What the exporter knows of one run, and how it is read from a store."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from lccp.api.labels import INTRINSIC
from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Journal
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, NotFound
from lccp.probes.probe import Details
from lccp.report.details import compared, details_of
from lccp.report.load import writers
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store

T = TypeVar("T", bound=StoreObject)
Listing = dict[str, ObjectInfo]
READABLE = ("", True)


@dataclass(frozen=True)
class RunFacts:
    """Facts of one run; what is not known is None."""

    namespace: str
    run: str
    identity: RunIdentity | None = None
    journal: Journal | None = None
    heartbeat: Heartbeat | None = None
    report: EvaluationReport | None = None
    """Report of the newest evaluated checkpoint."""
    details: Mapping[str, Details] = field(default_factory=dict)
    """Its details by probe."""
    compared: Mapping[str, float] = field(default_factory=dict)
    """Its signals that compare checkpoints."""
    verdict: Verdict | None = None
    unreadable_objects: int = 0
    """Objects that are damaged or of another schema version; their facts are left out."""

    @property
    def finished_at(self) -> datetime | None:
        return self.journal.finished_at if self.journal else None


@dataclass(frozen=True)
class Derived:
    """What follows from the reports of a run."""

    report: EvaluationReport | None = None
    details: Mapping[str, Details] = field(default_factory=dict)
    compared: Mapping[str, float] = field(default_factory=dict)


class StoreReader:
    """Reads all runs of a store: one listing, and what changed since the last time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, tuple[str, StoreObject | None]] = {}
        self._derived: dict[RunKeys, Derived] = {}

    def runs(self) -> tuple[RunFacts, ...]:
        """The runs in the store, by namespace and name. Raises StoreUnavailable, InvalidInput."""
        listing = self._store.list("")
        below: dict[RunKeys, Listing] = defaultdict(dict)
        for info in listing:
            namespace, _, rest = info.key.partition("/")
            below[RunKeys(namespace, rest.partition("/")[0])][info.key] = info
        self._forget_all_but(info.key for info in listing)
        runs = {keys: found for keys, found in below.items() if keys.identity in found}
        self._derived = {keys: known for keys, known in self._derived.items() if keys in runs}
        return tuple(self._run(keys, found) for keys, found in runs.items())

    def _run(self, keys: RunKeys, found: Listing) -> RunFacts:
        wrote = writers(keys, (i for key, i in found.items() if key.startswith(keys.trainings)))
        reports = sorted(key for key in found if _is_report(key, keys))
        derived = self._derived_from(keys, found, reports)
        return RunFacts(
            keys.namespace,
            keys.name,
            identity=self._newest(RunIdentity, found, [keys.identity]),
            journal=self._newest(Journal, found, [keys.journal]),
            heartbeat=self._newest(Heartbeat, found, [keys.heartbeat(w) for w in wrote]),
            report=derived.report,
            details=derived.details,
            compared=derived.compared,
            verdict=self._newest(Verdict, found, [keys.verdict]),
            unreadable_objects=sum(self._read.get(key, READABLE)[1] is None for key in found),
        )

    def _derived_from(self, keys: RunKeys, found: Listing, reports: Sequence[str]) -> Derived:
        """What follows from the reports, made anew only if the newest of them is another."""
        newest = self._newest(EvaluationReport, found, reports)
        known = self._derived.get(keys)
        if newest is None or (known is not None and known.report is newest):
            return known if newest is not None and known is not None else Derived()

        def fetch(report: EvaluationReport, name: str) -> bytes:
            return self._store.get(f"{keys.evaluation(report.tokens, report.suite)}{name}")

        values = compared(self._readable(reports), fetch)
        derived = Derived(
            newest,
            {
                probe: details
                for probe in newest.probes
                if (details := details_of(newest, probe, fetch)) is not None
            },
            {name: at[newest.tokens] for name, at in values.items() if newest.tokens in at},
        )
        self._derived[keys] = derived
        return derived

    def _readable(self, reports: Sequence[str]) -> list[EvaluationReport]:
        """The reports that can be read, oldest first; none of them is remembered."""
        read = []
        for key in reports:
            with suppress(InvalidInput, NotFound):
                read.append(EvaluationReport.from_json(self._store.get(key), key))
        return read

    def _newest(self, kind: type[T], found: Listing, keys: Sequence[str]) -> T | None:
        """The object under the last of `keys` that exists, read again only if it changed."""
        info = next((found[key] for key in reversed(keys) if key in found), None)
        if info is None:
            return None
        etag, value = self._read.get(info.key, ("", None))
        if etag != info.etag:
            try:
                value = kind.from_json(self._store.get(info.key), info.key)
            except (InvalidInput, NotFound):
                value = None
            self._read[info.key] = (info.etag, value)
        return value if isinstance(value, kind) else None

    def _forget_all_but(self, keys: Iterable[str]) -> None:
        kept = set(keys)
        self._read = {key: read for key, read in self._read.items() if key in kept}


def _is_report(key: str, keys: RunKeys) -> bool:
    return key.startswith(keys.evaluations) and key.endswith(f"/{INTRINSIC}/report.json")
