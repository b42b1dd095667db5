"""Evaluate one checkpoint: samples, one pass, probes, report."""

import hashlib
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from platform import python_version

import numpy as np

from lccp.api.objects.report import EvaluationReport, ObjectReference, ProbeReport
from lccp.probes.registry import PROBES
from lccp_evaluator.estimate import Estimate, estimate
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Asked, Cohort, Prepared, Subject, ask, prepare
from lccp_evaluator.probes.measurement import Arrays, Measurement, TorchHalf
from lccp_evaluator.progress import Done, Progress
from lccp_evaluator.records import Records
from lccp_evaluator.unfinished import Unfinished

LIBRARIES = ("lccp", "numpy", "tokenizers", "torch", "transformers")

Announce = Callable[[Estimate], None]
"""Is told what an evaluation is going to cost; nothing, if all of it was read before."""


@dataclass(frozen=True)
class Evaluation:
    """A report, the content of the files beside it by name, and what the report makes needless."""

    report: EvaluationReport
    files: dict[str, bytes]
    unfinished: Unfinished


def evaluate(
    subject: Subject, place: Place, progress: Progress, announce: Announce | None = None
) -> Evaluation:
    """Measure `subject` on the samples in `place`, drawn if there are none.

    What an interrupted evaluation of the same has read already is not read again; nothing else is
    written into `place`.

    Raises:
        InvalidInput: model, tokenizer, settings or frozen samples are wrong or do not fit.
    """
    timings: dict[str, float] = {}
    with _timed(timings, "samples"):
        asked = ask(subject, place)
    with _timed(timings, "load"):
        prepared = prepare(subject, asked)
    versions = {name: metadata.version(name) for name in LIBRARIES} | {"python": python_version()}
    unfinished = Unfinished.of(subject, prepared, place, versions)
    kept = unfinished.all(len(prepared.cohorts))
    missing = [one for number, one in enumerate(prepared.cohorts) if number not in kept]
    if announce is not None and missing:
        announce(estimate(replace(prepared, cohorts=missing)))
    with _timed(timings, "measure"):
        records = list(_records(prepared, asked, unfinished, kept, progress))
        again = {
            half.name: _again(prepared.engine, one, half, read)
            for one, read in zip(asked, records, strict=True)
            for half in one.readers
        }
    with _timed(timings, "aggregate"):
        found = {
            half.name: (
                one,
                half.measure(again[half.name], one.settings[half.name], subject.contexts),
            )
            for one in asked
            for half in one.readers
        }
    files: dict[str, bytes] = {}
    probes = {name: _report(name, *found[name], files) for name in PROBES if name in found}
    notes = prepared.notes + tuple(note for one in asked for note in one.frozen.header.notes)
    notes += tuple(note for _, measurement in found.values() for note in measurement.notes)
    report = EvaluationReport(
        tokens=subject.tokens,
        step=subject.step,
        checkpoint_digest=subject.checkpoint_digest,
        source_context_length=subject.contexts.source,
        target_context_length=subject.contexts.target,
        probes=probes,
        execution_plan=prepared.plan.document(),
        notes=notes,
        versions=versions,
        timings={stage: round(seconds, 3) for stage, seconds in timings.items()},
    )
    return Evaluation(report, files, unfinished)


def _report(name: str, asked: Asked, found: Measurement, files: dict[str, bytes]) -> ProbeReport:
    """What the probe measured; its arrays are added to `files`."""
    parts = {
        "details": (f"{name}.npz", found.details),
        "samples": (f"{name}.samples.npz", found.samples),
    }
    references = {}
    for field, (file, arrays) in parts.items():
        if arrays:
            files[file] = packed(arrays)
            digest = hashlib.sha256(files[file]).hexdigest()
            references[field] = ObjectReference(name=file, sha256=digest)
    return ProbeReport(
        version=PROBES[name].version,
        settings=asked.settings[name].document(),
        samples_digest=asked.frozen.digest,
        signals=tuple(found.signals),
        **references,
    )


def packed(arrays: Arrays) -> bytes:
    """`arrays` as an `.npz` without pickles; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _records(
    prepared: Prepared,
    asked: list[Asked],
    unfinished: Unfinished,
    kept: Mapping[int, list[Reading]],
    progress: Progress,
) -> Iterator[Records]:
    """What was read of the samples, haystack by haystack: within one, prompts begin alike.

    Cohorts whose numbers are `kept` were read before.
    """
    readings: dict[int, dict[int, Reading]] = {id(one): {} for one in asked}
    told = _Told(prepared, kept, progress)
    for number, cohort in enumerate(prepared.cohorts):
        found = kept.get(number)
        if found is None:
            found = prepared.engine.read(cohort.passages(), told.computed, cohort.plan)
            unfinished.put(number, found)
            told.finished(cohort)
        readings[id(cohort.asked)] |= zip(cohort.numbers, found, strict=True)
    for one in asked:
        in_order = [readings[id(one)][number] for number in range(len(one.frozen.samples))]
        yield Records(one.frozen, one.frozen.samples, in_order)


def _again(engine: Engine, asked: Asked, half: TorchHalf, read: Records) -> Records:
    """`read`, with what `half` asks to be read again with heads masked."""
    masking = half.masks(read, asked.settings[half.name])
    if masking is None:
        return read
    chosen, frozen = set(masking.numbers), asked.frozen
    cohorts = [[n for n in numbers if n in chosen] for numbers in frozen.cohorts()]
    masked: dict[str, dict[int, Reading]] = {name: {} for name in masking.heads}
    for name, heads in masking.heads.items():
        for numbers in filter(None, cohorts):
            passages = [frozen.passage(frozen.samples[number]) for number in numbers]
            unwatched = [replace(passage, needle=None) for passage in passages]
            found = engine.read(unwatched, masked=heads)
            masked[name] |= zip(numbers, found, strict=True)
    return replace(read, masked=masked)


class _Told:
    """Tells `progress` what was done, from the start on what was `kept`: it tells no speed."""

    def __init__(self, prepared: Prepared, kept: Iterable[int], progress: Progress) -> None:
        self._progress = progress
        self._total = sum(len(cohort.numbers) for cohort in prepared.cohorts)
        self._all_tokens = sum(cohort.plan.tokens for cohort in prepared.cohorts)
        before = [prepared.cohorts[number] for number in kept]
        self._samples = sum(len(cohort.numbers) for cohort in before)
        self._tokens = sum(cohort.plan.tokens for cohort in before)
        self._of_cohort = 0
        self._tell()

    def computed(self, tokens: int) -> None:
        """So many tokens of a cohort were computed."""
        self._of_cohort += tokens
        if tokens:
            self._tell()

    def finished(self, cohort: Cohort) -> None:
        """All of a cohort is known."""
        self._of_cohort = 0
        self._tokens += cohort.plan.tokens
        self._samples += len(cohort.numbers)
        self._tell()

    def _tell(self) -> None:
        share = (self._tokens + self._of_cohort) / self._all_tokens
        self._progress(Done(self._samples, self._total, share))


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    timings[stage] = time.monotonic() - start
