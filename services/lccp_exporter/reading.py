"""Facts of all runs of a store: one listing, then only objects that have changed."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar, get_args

from lccp.api.objects.journal import Control, EvaluationOutcome, EvaluationResult, Journal
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat, Ledger
from lccp.api.spec.export import ExportSpec
from lccp.contract.errors import LccpError, StoreRefused, StoreUnavailable
from lccp.facts.ledgers import ledgers
from lccp.facts.listing import Listing
from lccp.facts.reader import Keep, RunReader, RunReading
from lccp.facts.stored_runs import StoredRuns
from lccp.report.training import accelerator_seconds, spikes_total
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store
from lccp_exporter.comparing import Comparison
from lccp_exporter.conditions import kept_conditions
from lccp_exporter.facts import ExportedFacts, ExportedVerdict
from lccp_exporter.measured import Measured

UNANSWERED_MAX = 5
"""Runs with an object that the store does not give, before it is the store that can't be read: each
may take the whole patience with a silent store."""

logger = logging.getLogger(__name__)
T = TypeVar("T")
RESULTS = {
    (result, exhausted): EvaluationOutcome(checkpoint_digest="", result=result, exhausted=exhausted)
    for result, exhausted in product(get_args(EvaluationResult), (False, True))
}


@dataclass
class _Known:
    """Data kept of a run between two readings."""

    reader: RunReader[Measured, ExportedVerdict]
    comparison: Comparison
    stamp: int = 0
    """Hash of the keys and ETags from which its facts follow."""
    facts: ExportedFacts | None = None

    def rest(self) -> None:
        """Keep only the journal, which shows that the run is no longer wanted."""
        if self.facts is not None:
            self.facts = ExportedFacts(
                self.facts.namespace, self.facts.run, journal=self.facts.journal
            )
        self.comparison.forget()
        self.reader.forget()

    def unanswered(self, keys: RunKeys) -> ExportedFacts:
        """What is known while the store refuses one of its objects, or is silent about it."""
        known = self.facts or ExportedFacts(keys.namespace, keys.name)
        return replace(known, unreadable_objects=known.unreadable_objects + 1)


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

        A few runs of which the store does not give an object, while it gives those of others, are
        told as they were known. Raises StoreUnavailable, InvalidInput.
        """
        facts: dict[RunKeys, ExportedFacts] = {}
        unanswered: list[LccpError] = []
        for keys, infos in self._stored.listed():
            if all(info.key != keys.identity for info in infos):
                continue
            try:
                facts[keys] = self._facts(keys, infos)
            except (StoreRefused, StoreUnavailable) as error:
                unanswered.append(error)
                if len(unanswered) > UNANSWERED_MAX:
                    raise
                logger.warning("the run %s/%s: %s", keys.namespace, keys.name, error)
                facts[keys] = self._known[keys].unanswered(keys)
        if unanswered and len(unanswered) == len(facts):
            raise unanswered[0]
        self._known = {keys: self._known[keys] for keys in facts}
        return tuple(facts.values())

    def _facts(self, keys: RunKeys, infos: Sequence[ObjectInfo]) -> ExportedFacts:
        if keys not in self._known:
            reader = RunReader(self.store, keys, self._keep)
            self._known[keys] = _Known(reader, Comparison(self.store, keys))
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
        measured = tuple(reading.reports().values())
        compared = self._known[keys].comparison.of(measured)
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


def _exports(control: Control) -> tuple[ExportSpec, ...]:
    """The trackers in the spec. Raises InvalidInput."""
    return tuple(
        ExportSpec.parse_stored(one, f"export[{number}]")
        for number, one in enumerate((control.settings or {}).get("export", ()))
    )
