"""Evaluate one checkpoint: samples, one pass, probes, report."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from itertools import groupby
from pathlib import Path
from platform import python_version
from typing import Any

from lccp.api.objects.report import EvaluationReport, ProbeResults
from lccp.api.spec.evaluation import NiahProbe, ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes.execution import ExecutionPlan
from lccp_evaluator.passes.model import context_length, load_model
from lccp_evaluator.passes.teacher_forced import Engine, Reading
from lccp_evaluator.place import Arrays, Place
from lccp_evaluator.probes import asked_for
from lccp_evaluator.records import Records
from lccp_evaluator.sampling import crossing, settings
from lccp_evaluator.sampling.samples import FrozenSamples, Sample
from lccp_evaluator.sampling.tokenization import Tokenizer, tokenizer_digest

LIBRARIES = ("lccp", "numpy", "tokenizers", "torch", "transformers")

Progress = Callable[[int, int], None]
"""Is told the number of samples done, and of all."""


@dataclass(frozen=True)
class Subject:
    """What is evaluated, and how; contexts in tokens, `base` is where relative paths start."""

    directory: Path
    checkpoint_digest: str
    probes: ProbesSpec
    source_context: int
    target_context: int
    tokens: int = 0
    step: int = 0
    base: Path = Path()
    trust_remote_code: bool = False
    plan: ExecutionPlan | None = None


@dataclass(frozen=True)
class Evaluation:
    """A report, and the arrays beside it by name of the probe."""

    report: EvaluationReport
    arrays: dict[str, Arrays]


def evaluate(subject: Subject, place: Place, progress: Progress) -> Evaluation:
    """Measure `subject` on the samples in `place`, drawn if there are none; write nothing else.

    Raises:
        InvalidInput: model, tokenizer, settings or frozen samples are wrong or do not fit.
    """
    timings: dict[str, float] = {}
    probes = _resolved(subject)
    with _timed(timings, "samples"):
        frozen = _samples(subject, probes.niah, place)
    plan = subject.plan or ExecutionPlan.here(probes.niah.lengths)
    plan.enter()
    with _timed(timings, "load"):
        engine = _engine(subject, plan, frozen)
    with _timed(timings, "measure"):
        records = Records(frozen, _read(engine, frozen, plan, progress))
    with _timed(timings, "aggregate"):
        asked = asked_for(probes)
        results = {
            probe.NAME: probe.measure(records, probes, subject.source_context) for probe in asked
        }
        arrays = {probe.NAME: probe.arrays(records, probes) for probe in asked}
    report = EvaluationReport(
        tokens=subject.tokens,
        step=subject.step,
        checkpoint_digest=subject.checkpoint_digest,
        samples_digest=frozen.digest,
        source_context_length=subject.source_context,
        target_context_length=subject.target_context,
        probes=ProbeResults.model_validate(results),
        execution_plan=plan.document(),
        versions={name: metadata.version(name) for name in LIBRARIES}
        | {"python": python_version()},
        timings={stage: round(seconds, 3) for stage, seconds in timings.items()},
    )
    return Evaluation(report, arrays)


def _resolved(subject: Subject) -> ProbesSpec:
    context = context_length(subject.directory)
    niah = settings.resolved(subject.probes.niah, subject.target_context)
    if niah.lengths[-1] > context:
        raise InvalidInput(
            f"evaluation.probes.niah.lengths: {niah.lengths[-1]} lies beyond the {context} tokens "
            f"of {subject.directory / 'config.json'} (max_position_embeddings)"
        )
    return subject.probes.model_copy(update={"niah": niah})


def _samples(subject: Subject, niah: NiahProbe, place: Place) -> FrozenSamples:
    digest = tokenizer_digest(subject.directory)

    def draw() -> FrozenSamples:
        tokenizer = Tokenizer(subject.directory, subject.trust_remote_code)
        return crossing.draw(niah, tokenizer, digest, subject.base)

    return place.frozen(niah.document(), digest, draw)


def _engine(subject: Subject, plan: ExecutionPlan, frozen: FrozenSamples) -> Engine:
    model = load_model(subject.directory, plan, subject.trust_remote_code)
    embeddings: Any = model.get_input_embeddings()
    rows = len(embeddings.weight)
    if frozen.largest_id >= rows:
        raise InvalidInput(
            f"{subject.directory}: has embeddings for {rows} tokens, but its tokenizer has "
            f"{frozen.header.vocabulary}: model and tokenizer do not belong together"
        )
    engine = Engine(model)
    engine.check(frozen.passage(frozen.samples[0]).ids)
    return engine


def _read(
    engine: Engine, frozen: FrozenSamples, plan: ExecutionPlan, progress: Progress
) -> list[Reading]:
    readings: list[Reading] = []
    progress(0, len(frozen.samples))
    for batch in batches(frozen.samples, plan):
        readings += engine.read([frozen.passage(sample) for sample in batch])
        progress(len(readings), len(frozen.samples))
    return readings


def batches(samples: tuple[Sample, ...], plan: ExecutionPlan) -> Iterator[tuple[Sample, ...]]:
    """Samples of one length at a time, in their order, as many as the plan says."""
    for length, group in groupby(samples, key=lambda sample: sample.length):
        equal = tuple(group)
        size = plan.batch_sizes[length]
        yield from (equal[start : start + size] for start in range(0, len(equal), size))


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    timings[stage] = time.monotonic() - start
