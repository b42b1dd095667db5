"""Evaluate one checkpoint: samples, one pass, probes, report."""

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np

from lccp.api.objects.report import EvaluationReport, ObjectReference, ProbeReport
from lccp.api.spec.probes import ProbesSpec
from lccp.contract.base import Contract
from lccp.contract.errors import Incompatible, InvalidInput
from lccp.probes.probe import Contexts
from lccp.probes.registry import PROBES
from lccp.probes.routing import BANDS
from lccp.tokenizer import tokenizer_digest
from lccp_evaluator.model import experts
from lccp_evaluator.model.execution import AS_SUITS, Execution, ExecutionPlan
from lccp_evaluator.model.loading import load_model
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage, Reading
from lccp_evaluator.passes.ways import choose, go
from lccp_evaluator.place import Place
from lccp_evaluator.probes import by_source
from lccp_evaluator.probes.measurement import Arrays, Measurement, TorchHalf
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.samples import FrozenSamples
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer

LIBRARIES = ("lccp", "numpy", "tokenizers", "torch", "transformers")

Progress = Callable[[int, int], None]
"""Is told the number of samples done, and of all."""


@dataclass(frozen=True)
class Subject:
    """What is evaluated, and how; `base` is where relative paths start."""

    directory: Path
    checkpoint_digest: str
    probes: ProbesSpec
    contexts: Contexts
    tokens: int = 0
    step: int = 0
    base: Path = Path()
    trust_remote_code: bool = False
    plan: ExecutionPlan | None = None
    """Of the checkpoints before; None: `execution`."""
    execution: Execution = AS_SUITS
    tokenizer: Path | None = None
    """Directory of the tokenizer, unless it is the model's."""


@dataclass(frozen=True)
class _Asked:
    """Samples that are to be answered, and the probes that read the answers."""

    frozen: FrozenSamples
    readers: list[TorchHalf]
    settings: Mapping[str, Contract]
    """Of the readers, defaults resolved, by probe."""

    @property
    def watches_heads(self) -> bool:
        """Whether a reader asks where heads look."""
        return any(half.watches_heads for half in self.readers)

    @property
    def routed(self) -> set[int]:
        """Numbers of the samples whose tokens' experts a reader asks for."""
        samples = self.frozen.samples
        return {n for half in self.readers for n in half.routes(samples, self.settings[half.name])}

    def passages(self, numbers: list[int]) -> list[Passage]:
        """The samples of these numbers, as the engine takes them."""
        routed = self.routed
        return [
            replace(self.frozen.passage(self.frozen.samples[n]), bands=BANDS if n in routed else 0)
            for n in numbers
        ]


@dataclass(frozen=True)
class Evaluation:
    """A report, and the content of the files beside it by name."""

    report: EvaluationReport
    files: dict[str, bytes]


def evaluate(subject: Subject, place: Place, progress: Progress) -> Evaluation:
    """Measure `subject` on the samples in `place`, drawn if there are none; write nothing else.

    Raises:
        InvalidInput: model, tokenizer, settings or frozen samples are wrong or do not fit.
    """
    timings: dict[str, float] = {}
    with _timed(timings, "samples"):
        asked = [_frozen(subject, place, *group) for group in by_source(subject.probes.asked())]
    plan = subject.plan or ExecutionPlan.here(subject.execution)
    plan.enter()
    with _timed(timings, "load"):
        engine, plan, notes = _engine(subject, plan, asked)
    with _timed(timings, "measure"):
        records = list(_records(engine, asked, progress))
    with _timed(timings, "aggregate"):
        found = {
            half.name: (one, half.measure(read, one.settings[half.name], subject.contexts))
            for one, read in zip(asked, records, strict=True)
            for half in one.readers
        }
    files: dict[str, bytes] = {}
    probes = {name: _report(name, *found[name], files) for name in PROBES if name in found}
    notes += tuple(note for one in asked for note in one.frozen.header.notes)
    notes += tuple(note for _, measurement in found.values() for note in measurement.notes)
    report = EvaluationReport(
        tokens=subject.tokens,
        step=subject.step,
        checkpoint_digest=subject.checkpoint_digest,
        source_context_length=subject.contexts.source,
        target_context_length=subject.contexts.target,
        probes=probes,
        execution_plan=plan.document(),
        notes=notes,
        versions={name: metadata.version(name) for name in LIBRARIES}
        | {"python": python_version()},
        timings={stage: round(seconds, 3) for stage, seconds in timings.items()},
    )
    return Evaluation(report, files)


def _frozen(subject: Subject, place: Place, half: TorchHalf, readers: list[TorchHalf]) -> _Asked:
    source = half.source
    assert source is not None
    given = subject.probes.asked()
    used = {
        one.name: PROBES[one.name].resolved(given[one.name], subject.contexts) for one in readers
    }
    directory = subject.tokenizer or subject.directory
    digest = tokenizer_digest(directory)
    settings, files = used[half.name].document(), Files(subject.base)

    def drawn() -> FrozenSamples:
        tokenizer = Tokenizer(directory, subject.trust_remote_code)
        found = source.draw(used[half.name], tokenizer, files)
        found.notes += files.notes
        return FrozenSamples.of(
            found, half.name, source.version, settings, digest, tokenizer.vocabulary, files.read
        )

    frozen = place.frozen(half.name, source.version, settings, digest, drawn)
    documents = PROBES[half.name].documents(given[half.name])
    files.check(frozen.header.files, documents, place.samples_of(half.name))
    return _Asked(frozen, readers, used)


def _report(name: str, asked: _Asked, found: Measurement, files: dict[str, bytes]) -> ProbeReport:
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


def _engine(
    subject: Subject, plan: ExecutionPlan, asked: list[_Asked]
) -> tuple[Engine, ExecutionPlan, tuple[str, ...]]:
    """The engine, its plan with the way that the model allows, and what is to be said of it."""
    loaded = load_model(subject.directory, plan, subject.trust_remote_code)
    model, watches = loaded.model, any(one.watches_heads for one in asked)
    _check_vocabulary(subject.directory, model, [one.frozen for one in asked])
    if any(one.routed for one in asked):
        experts.count(model)  # refuses a model without experts before anything is measured
    samples = [(sample.length, one, sample) for one in asked for sample in one.frozen.samples]
    length, one, sample = max(samples, key=lambda sample: sample[0])
    choice = choose(model, one.frozen.passage(sample).ids, length, watches)
    chosen = plan.model_copy(update={"way": choice.way, "reason": choice.reason})
    if plan.way is not None and chosen != plan:
        raise Incompatible(
            f"{subject.directory}: allows the way {choice.way}, but the run's first checkpoint was "
            f"evaluated by the way {plan.way}: a run's checkpoints must be of one architecture"
        )
    go(model, choice.way)
    notes = [f"prompts do not share beginnings: {choice.reason}"] if choice.reason else []
    engine = Engine(model, choice.way, plan.step_tokens, watches, plan.head_rows)
    return engine, chosen, (*loaded.notes, *notes)


def _check_vocabulary(directory: Path, model: Any, frozen: list[FrozenSamples]) -> None:
    rows = len(model.get_input_embeddings().weight)
    for one in frozen:
        if one.largest_id >= rows:
            raise InvalidInput(
                f"{directory}: has embeddings for {rows} tokens, but its tokenizer has "
                f"{one.header.vocabulary}: model and tokenizer do not belong together"
            )


def _records(engine: Engine, asked: list[_Asked], progress: Progress) -> Iterator[Records]:
    """What was read of the samples, haystack by haystack: within one, prompts begin alike."""
    done, total = 0, sum(len(one.frozen.samples) for one in asked)
    progress(0, total)
    for one in asked:
        readings: dict[int, Reading] = {}
        for numbers in one.frozen.cohorts():
            readings |= zip(numbers, engine.read(one.passages(numbers)), strict=True)
            done += len(numbers)
            progress(done, total)
        in_order = [readings[number] for number in range(len(readings))]
        yield Records(one.frozen, one.frozen.samples, in_order)


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    timings[stage] = time.monotonic() - start
