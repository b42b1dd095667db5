"""Evaluate one checkpoint: samples, one pass, probes, report."""

import hashlib
import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from platform import python_version

import numpy as np

from lccp.api.causes import Cause, cause_of
from lccp.api.objects.report import EvaluationReport, ObjectReference, ProbeReport
from lccp.probes.registry import PROBES
from lccp_evaluator.asked import Asked, Prepared
from lccp_evaluator.estimate import EvaluationCost, estimate
from lccp_evaluator.passes.passage import Heads, Reading
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Subject, ask, prepare
from lccp_evaluator.probes.measurement import Arrays, Measurement, TorchHalf
from lccp_evaluator.progress import Progress, ReportedProgress
from lccp_evaluator.records import Records
from lccp_evaluator.spread.orders import Job
from lccp_evaluator.spread.team import Team
from lccp_evaluator.unfinished import Unfinished

logger = logging.getLogger("lccp_evaluator.evaluation")

LIBRARIES = ("lccp", "numpy", "tokenizers", "torch", "transformers")

Announce = Callable[[EvaluationCost], None]
"""Called with the cost of an evaluation; not called if all of it was read before."""


@dataclass(frozen=True)
class EvaluationFiles:
    """A report, the contents of the files beside it by name, and what the report makes obsolete."""

    report: EvaluationReport
    files: dict[str, bytes]
    unfinished: Unfinished


def evaluate(
    subject: Subject, place: Place, progress: Progress, announce: Announce | None = None
) -> EvaluationFiles:
    """Measure `subject` on the samples in `place`, which are drawn if there are none.

    What an interrupted evaluation of the same subject has already read is not read again. Nothing
    else is written into `place`.

    Raises:
        InvalidInput: model, tokenizer, settings or frozen samples are wrong or do not fit.
    """
    timings: dict[str, float] = {}
    with _timed(timings, "samples"):
        asked = ask(subject, place, progress)
    with ExitStack() as opened:
        with _timed(timings, "load"):
            prepared = opened.enter_context(prepare(subject, asked))
        with _timed(timings, "measure"):
            read = _in_fitting_passes(
                Unfinished.resumed(subject, prepared, place, _versions()),
                lambda fit: _read(subject, fit, asked, place, progress, announce),
            )
    with _timed(timings, "aggregate"):
        found = {
            half.name: (
                one,
                half.measure(read.records[half.name], one.settings[half.name], subject.contexts),
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
        execution_plan=read.prepared.plan.document(),
        notes=tuple(dict.fromkeys(notes)),
        versions=_versions(),
        timings={stage: round(seconds, 3) for stage, seconds in timings.items()},
    )
    return EvaluationFiles(report, files, read.unfinished)


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in LIBRARIES} | {"python": python_version()}


def _report(name: str, asked: Asked, found: Measurement, files: dict[str, bytes]) -> ProbeReport:
    """The probe's measurements; its arrays are added to `files`."""
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
        documents={name: tuple(hashes) for name, hashes in found.documents.items()},
        **references,
    )


def packed(arrays: Arrays) -> bytes:
    """`arrays` as an `.npz` without pickles; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@dataclass(frozen=True)
class _Read:
    """The records that each probe measures from, and how they were finally read."""

    prepared: Prepared
    records: Mapping[str, Records]
    unfinished: Unfinished


def _in_fitting_passes(prepared: Prepared, read: Callable[[Prepared], _Read]) -> _Read:
    """The result of `read`, restarted in smaller passes whenever memory runs out."""
    while True:
        prepared.set_up()
        try:
            return read(prepared)
        except Exception as error:
            if cause_of(error) is not Cause.OUT_OF_MEMORY:
                raise
            smaller = prepared.halved()
            if smaller is None:
                raise MemoryError(prepared.plan.too_large(prepared.longest)) from error
            logger.warning(
                "not enough memory for %s: restarting with %s",
                prepared.plan.passes,
                smaller.plan.passes,
            )
        prepared = smaller


def _read(
    subject: Subject,
    prepared: Prepared,
    asked: list[Asked],
    place: Place,
    progress: Progress,
    announce: Announce | None,
) -> _Read:
    unfinished = Unfinished.of(subject, prepared, place, _versions())
    kept = unfinished.all(len(prepared.cohorts))
    missing = [one for number, one in enumerate(prepared.cohorts) if number not in kept]
    if announce is not None and missing:
        announce(estimate(replace(prepared, cohorts=missing)))
    with Team(prepared.models) as team:
        readings = _Readings(
            prepared, unfinished, ReportedProgress(prepared.shares, kept, progress), team, kept
        )
        readings.read({n: () for n, one in enumerate(prepared.cohorts) if one.again is None})
        records = [readings.of(one) for one in asked]
        again = {
            half.name: readings.again(one, half, read)
            for one, read in zip(asked, records, strict=True)
            for half in one.readers
        }
    return _Read(prepared, again, unfinished)


@dataclass(frozen=True)
class _Readings:
    """The readings of all cohorts, by their numbers in `prepared`."""

    prepared: Prepared
    unfinished: Unfinished
    told: ReportedProgress
    team: Team
    found: dict[int, list[Reading]]

    def read(self, masked: Mapping[int, Heads]) -> None:
        """Read cohorts, by number, with these heads masked, unless already read."""
        cohorts = self.prepared.cohorts
        jobs = {
            number: Job(cohorts[number].passages(), heads)
            for number, heads in masked.items()
            if number not in self.found
        }
        self.team.read(jobs, self.prepared.opening, self._own, self._done)

    def _own(self, number: int, job: Job) -> list[Reading]:
        plan, computed = self.prepared.cohorts[number].plan, partial(self.told.computed, number)
        return self.prepared.engine.read(job.passages, computed, plan, job.masked)

    def _done(self, number: int, readings: list[Reading]) -> None:
        self.found[number] = readings
        self.unfinished.put(number, readings)
        self.told.finished(number)

    def of(self, asked: Asked) -> Records:
        """The records of its samples, from their first reading, in their order."""
        readings: dict[int, Reading] = {}
        for number, cohort in enumerate(self.prepared.cohorts):
            if cohort.asked is asked and cohort.again is None:
                readings |= zip(cohort.numbers, self.found[number], strict=True)
        in_order = [readings[number] for number in range(len(asked.frozen.samples))]
        return Records(asked.frozen, asked.frozen.samples, in_order, text=asked.text)

    def again(self, asked: Asked, half: TorchHalf, read: Records) -> Records:
        """`read`, plus readings with heads masked of the samples that `half` requests again."""
        sets = list(half.masks(read, asked.settings[half.name]).items())
        numbers = {
            number: sets[one.again.number]
            for number, one in enumerate(self.prepared.cohorts)
            if one.asked is asked and one.again is not None and one.again.half is half
        }
        self.read({number: heads for number, (_, heads) in numbers.items()})
        masked: dict[str, dict[int, Reading]] = {name: {} for name, _ in sets}
        for number, (name, _) in numbers.items():
            cohort = self.prepared.cohorts[number]
            masked[name] |= zip(cohort.numbers, self.found[number], strict=True)
        return replace(read, masked=masked)


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    timings[stage] = time.monotonic() - start
