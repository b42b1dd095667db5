"""The facts that a report is drawn from: those of one run, from its store or from a folder."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.api.objects.journal import Journal
from lccp.api.objects.losses import HeldOutLoss
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat, Ledger, StepRecord
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, NotFound
from lccp.facts.facts import Checkpoint, EvaluationKey
from lccp.facts.ledgers import ledgers
from lccp.facts.reader import Keep, RunReader
from lccp.model_config import CONFIG, parsed_model_config
from lccp.report.details import Damaged, Fetch, nothing_beside, untold
from lccp.store.keys import RunKeys, TrainingKeys
from lccp.store.local import open_source
from lccp.store.objects import read
from lccp.store.port import Store

REPORT = "report.json"
WHOLE = Keep[EvaluationReport, Verdict](lambda report: report, lambda verdict: verdict)


@dataclass(frozen=True)
class RunData:
    """Facts of one run; unknown ones are None or empty."""

    title: str
    reports: tuple[EvaluationReport, ...]
    """Reports of the probes, oldest first, one for each evaluated checkpoint."""
    verdict: Verdict | None = None
    history: tuple[StepRecord, ...] = ()
    """Logged steps in order, without those that a later attempt repeated."""
    heartbeat: Heartbeat | None = None
    tokens_per_source: Mapping[str, int] = field(default_factory=dict)
    """Tokens trained up to the newest checkpoint."""
    held_out: tuple[HeldOutLoss, ...] = ()
    """Losses of the checkpoints where it was measured, oldest first."""
    ledgers: Mapping[int, Ledger] = field(default_factory=dict)
    """Where the time of each attempt went."""
    identity: RunIdentity | None = None
    journal: Journal | None = None
    branches: tuple[EvaluationReport, ...] = ()
    """Reports of the ends of branches, by the tokens at which each began, oldest first."""
    branch_histories: Mapping[int, tuple[StepRecord, ...]] = field(default_factory=dict)
    """Logged steps of branches, by the tokens at which each began, oldest first."""
    external: tuple[EvaluationReport, ...] = ()
    """Reports of external suites, oldest first."""
    model_config: Mapping[str, Any] | None = None
    """config.json of the newest checkpoint."""
    failures: Mapping[int, EvaluationFailure] = field(default_factory=dict)
    """Last failures of checkpoints that have no report, by tokens."""
    fetch: Fetch = nothing_beside
    """Reads an object beside a report."""
    damaged: Damaged = untold
    """Is told of those that are not as they were measured."""

    @property
    def all_reports(self) -> tuple[EvaluationReport, ...]:
        """The reports that a verdict is based on: probes, branches, external suites."""
        return (*self.reports, *self.branches, *self.external)

    @classmethod
    def from_store(cls, store: Store, keys: RunKeys) -> Self:
        """The run below `keys`.

        Raises:
            InvalidInput: there is no such run, or one of its objects is damaged or has another
                schema version; such a verdict counts as missing.
        """
        reader = RunReader(store, keys, WHOLE)
        listing = reader.listing()
        facts = reader.facts(listing)
        if facts.damaged:
            raise InvalidInput(f"{store.url}/{next(iter(facts.damaged.values()))}")
        if facts.identity is None:
            raise InvalidInput(f"{store.url}: contains no run {keys.namespace}/{keys.name}")
        return cls(
            title=f"{keys.namespace}/{keys.name}",
            **_by_suite(facts.reports),
            verdict=facts.verdict,
            history=history_of(store, keys, listing.writers()),
            branch_histories={
                branch.trunk_tokens: history_of(store, branch, listing.writers(branch))
                for branch in listing.branches()
            },
            heartbeat=facts.heartbeat,
            tokens_per_source=_tokens_per_source(store, keys, facts.checkpoints),
            held_out=tuple(one.held_out for one in facts.checkpoints.values() if one.held_out),
            ledgers=ledgers(facts.told, facts.journal.attempts),
            identity=facts.identity,
            journal=facts.journal if facts.journal_etag else None,
            model_config=_model_config(store, keys, facts.checkpoints),
            failures={
                tokens: failure
                for (tokens, suite), failure in facts.failures.items()
                if suite == INTRINSIC and (tokens, suite) not in facts.reports
            },
            fetch=lambda report, name: store.get(
                f"{keys.evaluation(report.tokens, report.suite)}{name}"
            ),
        )

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """All `report.json` below `folder`, as one run.

        Raises:
            InvalidInput: no report is of the probes, two are of the same suite and checkpoint, or
                one is damaged or can't be read.
            Incompatible: a report has another schema version.
        """
        if not folder.is_dir():
            raise InvalidInput(f"{folder}: is not a folder")
        found: dict[EvaluationKey, EvaluationReport] = {}
        folders: dict[EvaluationKey, Path] = {}
        for path in sorted(folder.rglob(REPORT)):
            with open_source(path) as file:
                report = EvaluationReport.from_json(file.read(), str(path))
            key = report.tokens, report.suite
            if key in found:
                raise InvalidInput(
                    f"{path}: is a second report at {report.tokens} tokens: "
                    f"give a folder that holds the reports of one run"
                )
            found[key], folders[key] = report, path.parent
        if not any(suite == INTRINSIC for _, suite in found):
            raise InvalidInput(f"{folder}: contains no {REPORT} of probes, at any depth")

        def fetch(report: EvaluationReport, name: str) -> bytes:
            try:
                return (folders[report.tokens, report.suite] / name).read_bytes()
            except OSError as error:
                raise NotFound(f"{name}: {error.strerror}") from None

        ordered = dict(sorted(found.items()))
        return cls(title=folder.resolve().name, fetch=fetch, **_by_suite(ordered))


def _by_suite(reports: Mapping[EvaluationKey, EvaluationReport]) -> dict[str, Any]:
    """The fields of a run that hold the reports."""
    own = {INTRINSIC: "reports", ANNEAL: "branches"}
    found: dict[str, list[EvaluationReport]] = {"reports": [], "branches": [], "external": []}
    for (_, suite), report in reports.items():
        found[own.get(suite, "external")].append(report)
    return {name: tuple(listed) for name, listed in found.items()}


def _tokens_per_source(
    store: Store, keys: RunKeys, checkpoints: Mapping[int, Checkpoint]
) -> Mapping[str, int]:
    if not checkpoints:
        return {}
    return read(store, keys.checkpoint_manifest(max(checkpoints)), Manifest).tokens_per_source


def _model_config(
    store: Store, keys: RunKeys, checkpoints: Mapping[int, Checkpoint]
) -> Mapping[str, Any] | None:
    for newest in list(checkpoints.values())[-1:]:
        with suppress(NotFound, InvalidInput):
            key = f"{keys.checkpoint(newest.tokens, newest.writer)}{CONFIG}"
            return parsed_model_config(store.get(key), key)
    return None


def history_of(store: Store, keys: TrainingKeys, wrote: Iterable[str]) -> tuple[StepRecord, ...]:
    """Steps of all attempts; repeated steps replace those of an earlier attempt.

    A step that is made again after a rewind keeps the spike that caused it.
    """
    steps: dict[int, StepRecord] = {}
    for writer in wrote:
        lines = _lines(store, keys.history(writer))
        first = lines[0].step if lines else 0
        steps = {step: line for step, line in steps.items() if step < first or not lines}
        for line in lines:
            before = steps.get(line.step)
            if before is not None and before.spike is not None and line.spike is None:
                line = line.model_copy(update={"spike": before.spike})
            steps[line.step] = line
    return tuple(line for _, line in sorted(steps.items()))


def _lines(store: Store, key: str) -> list[StepRecord]:
    try:
        text = store.get(key).decode(errors="replace")
    except NotFound:
        return []
    return [
        _line(line, f"{store.url}/{key}: line {number}")
        for number, line in enumerate(text.splitlines(), 1)
    ]


def _line(text: str, where: str) -> StepRecord:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{where}: is not JSON: it is damaged or cut short") from None
    return StepRecord.parse(document, where)
