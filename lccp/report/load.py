"""What a report is drawn from: the facts of one run, from its store or from a folder of reports."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Journal
from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat, StepRecord
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, NotFound
from lccp.report.details import Fetch, nothing_beside
from lccp.store.keys import RunKeys, tokens_of
from lccp.store.objects import complete_checkpoints, read_or_none, reports
from lccp.store.port import ObjectInfo, Store

REPORT, FAILURE, CONFIG = "report.json", "failure.json", "config.json"


@dataclass(frozen=True)
class RunData:
    """Facts of one run; what is not known is None or empty."""

    title: str
    reports: tuple[EvaluationReport, ...]
    """Oldest first, one for each evaluated checkpoint."""
    verdict: Verdict | None = None
    history: tuple[StepRecord, ...] = ()
    """Logged steps in order, without those that a later attempt did again."""
    heartbeat: Heartbeat | None = None
    identity: RunIdentity | None = None
    journal: Journal | None = None
    model_config: Mapping[str, Any] | None = None
    """config.json of the newest checkpoint."""
    failures: Mapping[int, EvaluationFailure] = field(default_factory=dict)
    """Last failures of checkpoints that have no report, by tokens."""
    fetch: Fetch = nothing_beside
    """Reads what lies beside a report."""

    @classmethod
    def from_store(cls, store: Store, keys: RunKeys) -> Self:
        """The run below `keys`.

        Raises:
            InvalidInput: there is no such run, or one of its objects is damaged.
            Incompatible: one of its objects has another schema version.
        """
        identity = read_or_none(store, keys.identity, RunIdentity)
        if identity is None:
            raise InvalidInput(f"{store.url}: holds no run {keys.namespace}/{keys.name}")
        found = tuple(reports(store, keys))
        wrote = writers(keys, store.list(keys.trainings))
        return cls(
            title=f"{keys.namespace}/{keys.name}",
            reports=found,
            verdict=read_or_none(store, keys.verdict, Verdict),
            history=history_of(store, keys, wrote),
            heartbeat=_heartbeat(store, keys, wrote),
            identity=identity,
            journal=read_or_none(store, keys.journal, Journal),
            model_config=_model_config(store, keys),
            failures=_failures(store, keys, (report.tokens for report in found)),
            fetch=lambda report, name: store.get(
                f"{keys.evaluation(report.tokens, report.suite)}{name}"
            ),
        )

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """All `report.json` below `folder`, as one run.

        Raises:
            InvalidInput: there is none, two are of the same checkpoint, or one is damaged.
            Incompatible: a report has another schema version.
        """
        if not folder.is_dir():
            raise InvalidInput(f"{folder}: is not a folder")
        by_tokens: dict[int, EvaluationReport] = {}
        folders: dict[int, Path] = {}
        for path in sorted(folder.rglob(REPORT)):
            report = EvaluationReport.from_json(path.read_bytes(), str(path))
            if report.tokens in by_tokens:
                raise InvalidInput(
                    f"{path}: is a second report at {report.tokens} tokens: "
                    f"give a folder that holds the reports of one run"
                )
            by_tokens[report.tokens], folders[report.tokens] = report, path.parent
        if not by_tokens:
            raise InvalidInput(f"{folder}: holds no {REPORT}, at any depth")

        def fetch(report: EvaluationReport, name: str) -> bytes:
            try:
                return (folders[report.tokens] / name).read_bytes()
            except OSError as error:
                raise NotFound(f"{name}: {error.strerror}") from None

        title = folder.resolve().name
        ordered = tuple(report for _, report in sorted(by_tokens.items()))
        return cls(title=title, reports=ordered, fetch=fetch)


def _failures(store: Store, keys: RunKeys, reported: Iterable[int]) -> dict[int, EvaluationFailure]:
    """The last failure of each checkpoint that has no report, by tokens."""
    found = [
        i.key for i in store.list(keys.evaluations) if i.key.endswith(f"/{INTRINSIC}/{FAILURE}")
    ]
    tokens = sorted({tokens_of(key, keys.evaluations) for key in found} - set(reported))
    read = {t: read_or_none(store, keys.evaluation_failure(t), EvaluationFailure) for t in tokens}
    return {t: failure for t, failure in read.items() if failure is not None}


def _model_config(store: Store, keys: RunKeys) -> Mapping[str, Any] | None:
    for manifest in complete_checkpoints(store, keys)[-1:]:
        with suppress(NotFound, ValueError):
            key = f"{keys.checkpoint(manifest.tokens, manifest.writer)}{CONFIG}"
            config: dict[str, Any] = json.loads(store.get(key))
            return config
    return None


def writers(keys: RunKeys, found: Iterable[ObjectInfo]) -> tuple[str, ...]:
    """Writers of the run's attempts, oldest first, given all objects below `trainings`.

    An attempt has several if a queue took its pods away and let it in again: the last one to write
    is the newest.
    """
    wrote: dict[str, datetime] = {}
    for info in found:
        name = info.key.removeprefix(keys.trainings).split("/", 1)[0]
        wrote[name] = max(info.modified, wrote.get(name, info.modified))
    return tuple(sorted(wrote, key=lambda name: (_attempt(name), wrote[name])))


def _attempt(writer: str) -> int:
    match = re.match(r"a(\d+)-", writer)
    return int(match[1]) if match else 0


def _heartbeat(store: Store, keys: RunKeys, wrote: Sequence[str]) -> Heartbeat | None:
    return read_or_none(store, keys.heartbeat(wrote[-1]), Heartbeat) if wrote else None


def history_of(store: Store, keys: RunKeys, wrote: Iterable[str]) -> tuple[StepRecord, ...]:
    """Steps of all attempts; what an attempt did again replaces what an earlier one had done."""
    steps: dict[int, StepRecord] = {}
    for writer in wrote:
        lines = _lines(store, keys.history(writer))
        first = lines[0].step if lines else 0
        steps = {step: line for step, line in steps.items() if step < first or not lines}
        steps |= {line.step: line for line in lines}
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
    except ValueError:
        raise InvalidInput(f"{where}: is not JSON: it is damaged or cut short") from None
    return StepRecord.parse(document, where)
