"""Facts of all runs of a store: one listing, then only objects that have changed."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar, get_args

from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Control, EvaluationOutcome, EvaluationResult, Journal
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat, Ledger
from lccp.api.spec.export import ExportSpec
from lccp.contract.errors import LccpError
from lccp.facts.ledgers import ledgers
from lccp.facts.listing import Listing
from lccp.facts.reader import Keep, RunReader, RunReading
from lccp.facts.stored_runs import StoredRuns
from lccp.probes.probe import Details
from lccp.report.details import CheckpointDetails, between
from lccp.report.training import accelerator_seconds, spikes_total
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store
from lccp_exporter.conditions import kept_conditions
from lccp_exporter.facts import ExportedFacts, ExportedVerdict
from lccp_exporter.measured import Measured, arrays_beside
from lccp_exporter.metrics.cells import cell_arrays

logger = logging.getLogger(__name__)
T = TypeVar("T")
RESULTS = {
    (result, exhausted): EvaluationOutcome(checkpoint_digest="", result=result, exhausted=exhausted)
    for result, exhausted in product(get_args(EvaluationResult), (False, True))
}


@dataclass(frozen=True)
class Compared:
    """Results from the arrays beside a run's reports."""

    details: dict[str, Details]
    values: dict[str, dict[int, float]]


@dataclass
class _Known:
    """Data kept of a run between two readings."""

    reader: RunReader[Measured, ExportedVerdict]
    stamp: int = 0
    """Hash of the keys and ETags from which its facts follow."""
    facts: ExportedFacts | None = None
    reports: Sequence[Measured] = ()
    """The reports from which `compared` follows."""
    compared: Compared = Compared({}, {})

    def rest(self) -> None:
        """Keep only the journal, which shows that the run is no longer wanted."""
        if self.facts is not None:
            self.facts = ExportedFacts(
                self.facts.namespace, self.facts.run, journal=self.facts.journal
            )
        self.reports, self.compared = (), Compared({}, {})
        self.reader.forget()


class StoreReader:
    """Reads a store repeatedly; callers keep one reader.

    If a run is not `wanted`, which its journal decides, nothing else of it is read.
    """

    def __init__(self, store: Store, wanted: Callable[[ExportedFacts], bool]) -> None:
        self.store = store
        self._wanted = wanted
        self._shared: dict[str, Any] = {}
        self._known: dict[RunKeys, _Known] = {}
        self._stored = StoredRuns(store)
        self._keep = Keep(self._measured, ExportedVerdict.of)

    def runs(self) -> tuple[ExportedFacts, ...]:
        """The runs in the store, by namespace and name; an unchanged run is the same object.

        Raises StoreUnavailable, InvalidInput.
        """
        facts = {
            keys: self._facts(keys, infos)
            for keys, infos in self._stored.listed()
            if any(info.key == keys.identity for info in infos)
        }
        self._known = {keys: self._known[keys] for keys in facts}
        return tuple(facts.values())

    def _facts(self, keys: RunKeys, infos: Sequence[ObjectInfo]) -> ExportedFacts:
        if keys not in self._known:
            self._known[keys] = _Known(RunReader(self.store, keys, self._keep))
        known, stamp = self._known[keys], hash(tuple((info.key, info.etag) for info in infos))
        if known.facts is None or known.stamp != stamp:
            known.facts, known.stamp = self._read_or_left_out(known.reader, keys, infos), stamp
        if not self._wanted(known.facts):
            known.rest()
        return known.facts

    def _read_or_left_out(
        self,
        reader: RunReader[Measured, ExportedVerdict],
        keys: RunKeys,
        infos: Sequence[ObjectInfo],
    ) -> ExportedFacts:
        """An error that nothing foresees concerns this run alone."""
        try:
            return reader.read(Listing(keys, infos), self._read)
        except LccpError:
            raise
        except Exception:
            logger.exception("the run %s/%s is left out", keys.namespace, keys.name)
            return ExportedFacts.unreadable(keys.namespace, keys.name)

    def _read(self, reading: RunReading[Measured, ExportedVerdict]) -> ExportedFacts:
        keys = reading.keys
        journal = reading.journal(_with_results_alone)[0]
        known = ExportedFacts(keys.namespace, keys.name, journal=journal)
        if not self._wanted(known):
            return known
        heartbeats, ends = reading.heartbeats(), reading.ends()
        told = reading.of_writers().values()
        compared = self._comparison(keys, measured := tuple(reading.reports().values()))
        digest, target = reading.identity(_identity)[0] or ("", None)
        return replace(
            known,
            digest=digest,
            target_context_length=target,
            heartbeat=_newest(heartbeats),
            end=ends.get(max(heartbeats | ends)) if heartbeats or ends else None,
            branching=_branching(reading, journal),
            ledger=Ledger.of_all(ledgers(told, journal.attempts if journal else ()).values()),
            accelerator_seconds=accelerator_seconds(told),
            spikes_total=spikes_total(told),
            measured=measured,
            details=compared.details,
            compared=compared.values,
            judged=reading.verdict(),
            conditions=reading.conditions(kept_conditions) or (),
            exports=next(iter(reading.control(_exports).values()), ()),
            unreadable_objects=len(reading.damaged),
        )

    def _measured(self, report: EvaluationReport) -> Measured:
        """The part of a report that is kept."""
        measured = Measured.of(report)
        return replace(
            measured,
            signals=self._share(measured.signals),
            parts=self._share(measured.parts),
        )

    def _share(self, value: T) -> T:
        """One object for all equal values: most reports of a store are similar."""
        shared: T = self._shared.setdefault(repr(value), value)
        return shared

    def _comparison(self, keys: RunKeys, measured: Sequence[Measured]) -> Compared:
        """The results from details, recomputed only if the reports changed."""
        known = self._known[keys]
        if not _same(known.reports, measured):
            own = [m for m in measured if m.suite == INTRINSIC]
            known.compared = Compared(self._details(keys, own), self._values(keys, own))
            known.reports = measured
        return known.compared

    def _details(self, keys: RunKeys, measured: Sequence[Measured]) -> dict[str, Details]:
        """Arrays of the newest checkpoint from which cells are made."""
        newest = measured[-1].details if measured else {}
        wanted = {name: arrays for name in newest if (arrays := cell_arrays(name))}
        read = {
            name: arrays_beside(self.store, keys, measured[-1], name, arrays)
            for name, arrays in wanted.items()
        }
        return {name: details for name, details in read.items() if details is not None}

    def _values(self, keys: RunKeys, measured: Sequence[Measured]) -> dict[str, dict[int, float]]:
        """Signals that compare checkpoints, of all probes."""

        def parts(name: str) -> list[CheckpointDetails]:
            found = ((m, arrays_beside(self.store, keys, m, name)) for m in measured)
            return [
                CheckpointDetails(m.tokens, m.details[name].version, m.details[name].settings, d)
                for m, d in found
                if d is not None
            ]

        return between(parts)


def _newest(heartbeats: Mapping[int, Heartbeat]) -> Heartbeat | None:
    """The newest attempt's; until it measures held-out documents, with an earlier one's values."""
    if not heartbeats:
        return None
    measured = [beat.held_out for _, beat in sorted(heartbeats.items()) if beat.held_out]
    newest = heartbeats[max(heartbeats)]
    return newest.model_copy(update={"held_out": measured[-1]}) if measured else newest


def _branching(
    reading: RunReading[Measured, ExportedVerdict], journal: Journal | None
) -> Heartbeat | None:
    """The heartbeat of the branch that the newest attempt trains, until it has ended."""
    last = journal.attempts[-1] if journal and journal.attempts else None
    if last is None or last.branch is None:
        return None
    keys = reading.keys.branch(last.branch)
    return None if last.number in reading.ends(keys) else reading.heartbeats(keys).get(last.number)


def _with_results_alone(journal: Journal) -> Journal:
    """The journal with only the results of its evaluations, of which there are many."""
    outcomes = journal.evaluations.items()
    ended = {key: RESULTS[outcome.result, outcome.exhausted] for key, outcome in outcomes}
    return journal.model_copy(update={"evaluations": ended})


def _identity(identity: RunIdentity) -> tuple[str, int | None]:
    """The kept part of `run.json`: its digest, and the target context length in tokens."""
    target = identity.identity.get("model", {}).get("targetContextLength")
    return identity.digest, target if isinstance(target, int) else None


def _same(before: Sequence[Measured], now: Sequence[Measured]) -> bool:
    """Whether the reports are identical objects; a report that was read again is another one."""
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def _exports(control: Control) -> tuple[ExportSpec, ...]:
    """The trackers in the spec. Raises InvalidInput."""
    return tuple(
        ExportSpec.parse_stored(one, f"export[{number}]")
        for number, one in enumerate((control.settings or {}).get("export", ()))
    )
