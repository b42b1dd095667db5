"""Facts of all runs of a store: one listing, then what changed since the last time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lccp.api.labels import INTRINSIC
from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp.api.spec.export import ExportSpec
from lccp.contract.errors import InvalidInput, NotFound
from lccp.probes.probe import Details
from lccp.probes.registry import PROBES
from lccp.report.details import unpacked
from lccp.report.load import REPORT, writers
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store
from lccp_exporter.facts import Judged, Measured, RunFacts
from lccp_exporter.metrics.cells import cell_arrays

T = TypeVar("T")
Object = TypeVar("Object", bound=StoreObject)
Listing = dict[str, ObjectInfo]


@dataclass(frozen=True)
class Compared:
    """What follows from the arrays beside a run's reports."""

    of: tuple[str, ...]
    """ETags of the reports that it follows from."""
    details: dict[str, Details]
    values: dict[str, dict[int, float]]


class StoreReader:
    """Reads a store again and again; whoever wants its runs keeps one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._read: dict[str, tuple[str, Any]] = {}
        self._compared: dict[RunKeys, Compared] = {}
        self._shared: dict[str, Any] = {}
        self._known: dict[RunKeys, tuple[int, RunFacts]] = {}

    def runs(self) -> tuple[RunFacts, ...]:
        """The runs in the store, by namespace and name; the same object for one that is unchanged.

        Raises StoreUnavailable, InvalidInput.
        """
        listing = self.store.list("")
        below: dict[RunKeys, Listing] = defaultdict(dict)
        for info in listing:
            namespace, _, rest = info.key.partition("/")
            below[RunKeys(namespace, rest.partition("/")[0])][info.key] = info
        self._forget_all_but({info.key for info in listing})
        runs = {keys: found for keys, found in below.items() if keys.identity in found}
        self._compared = {keys: known for keys, known in self._compared.items() if keys in runs}
        self._known = {keys: self._unchanged_or_read(keys, runs[keys]) for keys in runs}
        return tuple(facts for _, facts in self._known.values())

    def _unchanged_or_read(self, keys: RunKeys, found: Listing) -> tuple[int, RunFacts]:
        stamp = hash(tuple((info.key, info.etag) for info in found.values()))
        known = self._known.get(keys)
        return known if known and known[0] == stamp else (stamp, self._run(keys, found))

    def _run(self, keys: RunKeys, found: Listing) -> RunFacts:
        wrote = writers(keys, (i for key, i in found.items() if key.startswith(keys.trainings)))
        last = wrote[-1:]
        reports = sorted(key for key in found if _is_report(key, keys))
        compared = self._comparison(keys, found, reports)
        return RunFacts(
            keys.namespace,
            keys.name,
            digest=self._value(found, [keys.identity], _object(RunIdentity, lambda i: i.digest))
            or "",
            journal=self._value(found, [keys.journal], _object(Journal)),
            heartbeat=self._value(found, [keys.heartbeat(w) for w in last], _object(Heartbeat)),
            end=self._value(found, [keys.end(w) for w in last], _object(End)),
            measured=tuple(self._measured(found, reports)),
            details=compared.details,
            compared=compared.values,
            judged=self._value(found, [keys.verdict], _object(Verdict, Judged.of)),
            exports=self._value(found, _controls(keys, found), _object(Control, _exports)) or (),
            unreadable_objects=sum(self._read.get(key, ("", True))[1] is None for key in found),
        )

    def _measured(self, found: Listing, reports: Iterable[str]) -> Iterator[Measured]:
        for key in reports:
            if (measured := self._value(found, [key], self._measure)) is not None:
                yield measured

    def _measure(self, data: bytes, key: str) -> Measured:
        report = EvaluationReport.from_json(data, key)
        measured = Measured.of(report)
        details = {
            name: replace(
                reference,
                name=self._share(reference.name),
                settings=self._share(reference.settings),
            )
            for name, reference in measured.details.items()
        }
        return replace(measured, signals=self._share(measured.signals), details=details)

    def _share(self, value: T) -> T:
        """One object for all that are equal: most reports of a store are made alike."""
        shared: T = self._shared.setdefault(repr(value), value)
        return shared

    def _comparison(self, keys: RunKeys, found: Listing, reports: Sequence[str]) -> Compared:
        """What follows from details, made anew only if there is another report."""
        of = tuple(found[key].etag for key in reports)
        known = self._compared.get(keys)
        if known is None or known.of != of:
            own = [m for m in self._measured(found, reports) if m.suite == INTRINSIC]
            known = Compared(of, self._details(keys, own), self._values(keys, own))
            self._compared[keys] = known
        return known

    def _details(self, keys: RunKeys, measured: Sequence[Measured]) -> dict[str, Details]:
        """Arrays of the newest checkpoint that cells are made of."""
        newest = measured[-1].details if measured else {}
        wanted = {name: arrays for name in newest if (arrays := cell_arrays(name))}
        read = {name: arrays_beside(self.store, keys, measured[-1], name) for name in wanted}
        return {
            name: {array: details[array] for array in wanted[name] if array in details}
            for name, details in read.items()
            if details is not None
        }

    def _values(self, keys: RunKeys, measured: Sequence[Measured]) -> dict[str, dict[int, float]]:
        """Signals that compare checkpoints, of all probes."""
        values: dict[str, dict[int, float]] = {}
        for name, probe in PROBES.items():
            if probe.comparison is None:
                continue
            having = [
                (m, details)
                for m in measured
                if (details := arrays_beside(self.store, keys, m, name)) is not None
            ]
            if not having:
                continue
            try:
                settings = probe.settings.parse(having[0][0].details[name].settings, name)
            except InvalidInput:
                continue
            made = probe.comparison.values(settings, [details for _, details in having])
            for signal, course in made.items():
                pairs = zip(having, course, strict=True)
                values[signal] = {m.tokens: value for (m, _), value in pairs if value is not None}
        return values

    def _value(
        self, found: Listing, keys: Sequence[str], read: Callable[[bytes, str], T]
    ) -> T | None:
        """What `read` makes of the first of `keys` that exists; read again only if it changed."""
        info = next((found[key] for key in keys if key in found), None)
        if info is None:
            return None
        etag, value = self._read.get(info.key, ("", None))
        if etag != info.etag:
            try:
                value = read(self.store.get(info.key), info.key)
            except (InvalidInput, NotFound):
                value = None
            self._read[info.key] = (info.etag, value)
        known: T | None = value
        return known

    def _forget_all_but(self, keys: set[str]) -> None:
        self._read = {key: read for key, read in self._read.items() if key in keys}


def arrays_beside(store: Store, keys: RunKeys, measured: Measured, probe: str) -> Details | None:
    """The arrays of `probe` beside a report; None if they are missing or not what it says."""
    reference = measured.details.get(probe)
    if reference is None:
        return None
    folder = keys.evaluation(measured.tokens, measured.suite)
    try:
        return unpacked(store.get(f"{folder}{reference.name}"), reference.sha256)
    except NotFound:
        return None


def _object(kind: type[Object], take: Callable[[Object], Any] = lambda o: o) -> Callable[..., Any]:
    """Reads an object, and takes of it what is needed."""
    return lambda data, key: take(kind.from_json(data, key))


def _controls(keys: RunKeys, found: Iterable[str]) -> list[str]:
    """What attempts are asked, the newest first."""
    numbers = (key.removeprefix(keys.controls).removesuffix(".json") for key in found)
    return [keys.control(n) for n in sorted({int(n) for n in numbers if n.isdecimal()})[::-1]]


def _exports(control: Control) -> tuple[ExportSpec, ...]:
    """Trackers that the spec names. Raises InvalidInput."""
    return tuple(
        ExportSpec.parse_stored(one, f"export[{number}]")
        for number, one in enumerate((control.settings or {}).get("export", ()))
    )


def _is_report(key: str, keys: RunKeys) -> bool:
    return key.startswith(keys.evaluations) and key.endswith(f"/{REPORT}")
