"""What an evaluation needs before it measures: the samples that it asks for, and an engine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

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
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import Schedule
from lccp_evaluator.passes.ways import choose, go
from lccp_evaluator.place import Place
from lccp_evaluator.probes import by_source
from lccp_evaluator.probes.measurement import TorchHalf
from lccp_evaluator.sampling.samples import FrozenSamples
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer


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
class Asked:
    """Samples that are to be answered, and the probes that read the answers."""

    frozen: FrozenSamples
    readers: list[TorchHalf]
    settings: Mapping[str, Contract]
    """Of the readers, defaults resolved, by probe."""

    @property
    def watches_heads(self) -> bool:
        """Whether a reader asks where heads look."""
        return any(half.watches_heads for half in self.readers)

    @cached_property
    def routed(self) -> set[int]:
        """Numbers of the samples whose tokens' experts a reader asks for."""
        samples = self.frozen.samples
        return {n for half in self.readers for n in half.routes(samples, self.settings[half.name])}

    def passages(self, numbers: list[int]) -> list[Passage]:
        """The samples of these numbers, as the engine takes them."""
        passages = ((n, self.frozen.passage(self.frozen.samples[n])) for n in numbers)
        return [replace(one, bands=BANDS if n in self.routed else 0) for n, one in passages]


@dataclass(frozen=True)
class Cohort:
    """Samples that are read together, those of one haystack: within it prompts begin alike."""

    asked: Asked
    numbers: list[int]
    plan: Schedule

    def passages(self) -> list[Passage]:
        """The samples, as the engine takes them."""
        return self.asked.passages(self.numbers)


@dataclass(frozen=True)
class Prepared:
    """An engine for all that is asked, and how it is going to compute it."""

    engine: Engine
    plan: ExecutionPlan
    cohorts: list[Cohort]
    notes: tuple[str, ...]


def ask(subject: Subject, place: Place) -> list[Asked]:
    """The samples of all probes, those that lie in `place` or drawn.

    Raises:
        InvalidInput: settings, tokenizer, files or frozen samples are wrong or do not fit.
    """
    return [_asked(subject, place, *group) for group in by_source(subject.probes.asked())]


def _asked(subject: Subject, place: Place, half: TorchHalf, readers: list[TorchHalf]) -> Asked:
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
    return Asked(frozen, readers, used)


def prepare(subject: Subject, asked: list[Asked]) -> Prepared:
    """The engine, its plan with the way that the model allows, and what is to be said of it.

    Raises:
        InvalidInput: the model is wrong, or does not allow what is asked.
    """
    plan = subject.plan or ExecutionPlan.here(subject.execution)
    plan.enter()
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
    cohorts = [
        Cohort(one, numbers, engine.planned(one.passages(numbers)))
        for one in asked
        for numbers in one.frozen.cohorts()
    ]
    return Prepared(engine, chosen, cohorts, (*loaded.notes, *notes))


def _check_vocabulary(directory: Path, model: Any, frozen: list[FrozenSamples]) -> None:
    rows = len(model.get_input_embeddings().weight)
    for one in frozen:
        if one.largest_id >= rows:
            raise InvalidInput(
                f"{directory}: has embeddings for {rows} tokens, but its tokenizer has "
                f"{one.header.vocabulary}: model and tokenizer do not belong together"
            )
