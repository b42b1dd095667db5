"""What the exporter knows of one run, and how it is read from a store."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Journal
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, NotFound
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
    verdict: Verdict | None = None
    unreadable_objects: int = 0
    """Objects that are damaged or of another schema version; their facts are left out."""

    @property
    def finished_at(self) -> datetime | None:
        return self.journal.finished_at if self.journal else None


class StoreReader:
    """Reads all runs of a store: one listing, and what changed since the last time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, tuple[str, StoreObject | None]] = {}

    def runs(self) -> tuple[RunFacts, ...]:
        """The runs in the store, by namespace and name. Raises StoreUnavailable, InvalidInput."""
        listing = self._store.list("")
        below: dict[RunKeys, Listing] = defaultdict(dict)
        for info in listing:
            namespace, _, rest = info.key.partition("/")
            below[RunKeys(namespace, rest.partition("/")[0])][info.key] = info
        self._forget_all_but(info.key for info in listing)
        return tuple(self._run(k, found) for k, found in below.items() if k.identity in found)

    def _run(self, keys: RunKeys, found: Listing) -> RunFacts:
        wrote = writers(keys, (i for key, i in found.items() if key.startswith(keys.trainings)))
        reports = sorted(key for key in found if _is_report(key, keys))
        return RunFacts(
            keys.namespace,
            keys.name,
            identity=self._newest(RunIdentity, found, [keys.identity]),
            journal=self._newest(Journal, found, [keys.journal]),
            heartbeat=self._newest(Heartbeat, found, [keys.heartbeat(w) for w in wrote]),
            report=self._newest(EvaluationReport, found, reports),
            verdict=self._newest(Verdict, found, [keys.verdict]),
            unreadable_objects=sum(self._read.get(key, READABLE)[1] is None for key in found),
        )

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
    return key.startswith(keys.evaluations) and key.endswith("/report.json")
