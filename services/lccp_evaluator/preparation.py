"""What an evaluation needs before it measures: samples and an engine."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lccp.api.spec.probes import ProbesSpec
from lccp.contract.base import Contract
from lccp.contract.errors import Incompatible, InvalidInput, StoreRefused
from lccp.probes.probe import Contexts
from lccp.probes.registry import PROBES
from lccp.tokenizer import tokenizer_digest
from lccp_evaluator.asked import Asked, Cohort, Prepared
from lccp_evaluator.model.execution import AS_SUITS, Execution, ExecutionPlan, Way
from lccp_evaluator.model.memory import fitting, memory_bytes
from lccp_evaluator.model.size import Size
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.ways import choose, go
from lccp_evaluator.place import Place
from lccp_evaluator.probes import by_source, choosing
from lccp_evaluator.probes.measurement import KeyChoice, TorchHalf
from lccp_evaluator.progress import Progress
from lccp_evaluator.sampling import tokenizer_file
from lccp_evaluator.sampling.samples import FrozenSamples
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer
from lccp_evaluator.spread.choosing import chosen_plan
from lccp_evaluator.spread.opening import Opening
from lccp_evaluator.spread.shards import loaded

logger = logging.getLogger("lccp_evaluator.preparation")


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
    """The execution plan of earlier checkpoints; None: a new one, as `execution` says."""
    execution: Execution = AS_SUITS
    tokenizer: Path | None = None
    """Directory of the tokenizer, unless it is the model's."""


def ask(
    subject: Subject, place: Place, progress: Progress = lambda done: None, chooses: bool = True
) -> list[Asked]:
    """The samples of all probes, either stored in `place` or newly drawn.

    Drawn samples are stored there once all are drawn: a refusal leaves none behind. `progress`
    reports on a model that chooses keys in them. Without `chooses`, no model does: the samples
    cost the same to read, but their keys mean nothing.

    Raises:
        InvalidInput: settings, tokenizer, files or frozen samples don't fit: all that are refused.
        StoreRefused: the store can't be used; no probe is at fault.
    """
    chosen_with = progress if chooses else None
    digests = place.digests()
    found, refused = [], []
    for group in by_source(subject.probes.asked()):
        try:
            files = Files(subject.base, digests)
            found.append(_asked(subject, place, files, *group, chosen_with))
        except StoreRefused:
            raise
        except InvalidInput as error:
            refused.append(error)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise InvalidInput("; ".join(dict.fromkeys(map(str, refused))))
    place.keep(digests)
    return [
        replace(one, frozen=place.freeze(one.frozen), drawn=False) if one.drawn else one
        for one in found
    ]


def _asked(
    subject: Subject,
    place: Place,
    files: Files,
    half: TorchHalf,
    readers: list[TorchHalf],
    progress: Progress | None,
) -> Asked:
    source = half.source
    assert source is not None
    given = subject.probes.asked()
    readers = [one for one in readers if PROBES[one.name].at(given[one.name], subject.tokens)]
    used: Mapping[str, Contract] = {
        one.name: PROBES[one.name].resolved(given[one.name], subject.contexts) for one in readers
    }
    directory = subject.tokenizer or subject.directory
    digest = tokenizer_digest(directory)
    settings = used[half.name].document()

    @cache
    def tokenizer() -> Tokenizer:
        return Tokenizer(directory, subject.trust_remote_code)

    def drawn() -> FrozenSamples:
        found = source.draw(used[half.name], tokenizer(), files)
        found.notes += [*files.notes, *tokenizer_file.notes(tokenizer(), directory)]
        words = tokenizer().vocabulary
        frozen = FrozenSamples.of(
            found, half.name, source.version, settings, digest, words, files.read, files.whole
        )
        if source.keys is None or progress is None:
            return frozen
        return _with_keys(subject, frozen, source.keys, used[half.name], digest, progress)

    kept = place.frozen(half.name, source.version, settings, digest)
    frozen = kept or drawn()
    documents = PROBES[half.name].documents(given[half.name])
    files.check(frozen.header, documents, place.samples_of(half.name))
    keys = source.keys if kept is None and progress is None else None
    return Asked(
        frozen,
        readers,
        used,
        lambda ids: tokenizer().text(ids.tolist()),
        drawn=kept is None,
        unchosen=choosing.turns_of(keys, frozen, used[half.name]) if keys else (),
    )


def _with_keys(
    subject: Subject,
    frozen: FrozenSamples,
    choice: KeyChoice,
    settings: Contract,
    tokenizer: str,
    progress: Progress,
) -> FrozenSamples:
    """`frozen` with the keys that a model chooses; `tokenizer` is their tokenizer's digest."""
    named = choice.model(settings)
    directory = subject.directory if named is None else subject.base / named
    if named is not None and tokenizer_digest(directory) != tokenizer:
        raise InvalidInput(
            f"{directory}: has another tokenizer than the checkpoint: keys are tokens, so the "
            "model that chooses them must have the checkpoint's"
        )
    chosen_by = named or f"the checkpoint at {subject.tokens:,} tokens"
    logger.info("%s: keys are chosen by %s", frozen.header.probe, chosen_by)
    turns = choosing.turns_of(choice, frozen, settings)
    with _open(subject, directory, [frozen], watches=False) as opened:
        read = choosing.read(opened.engine, turns, progress)
    return frozen.marked(choice.choose(read, settings), chosen_by)


@contextmanager
def _open(
    subject: Subject, directory: Path, frozen: list[FrozenSamples], watches: bool
) -> Iterator[Prepared]:
    """The engine for samples, with nothing planned yet."""
    trusted, execution = subject.trust_remote_code, subject.execution
    sample, one = max(((s, one) for one in frozen for s in one.samples), key=lambda s: s[0].length)
    plan = subject.plan or chosen_plan(directory, execution, sample.length, trusted)
    models = execution.models(plan)
    plan.enter()
    with loaded(directory, plan, trusted) as found:
        model: Any = found.model
        for each in frozen:
            each.check_vocabulary(len(model.get_input_embeddings().weight), directory)
        choice = choose(model, one.passage(sample).ids, sample.length, watches)
        way: Way = "Cached" if choice.resumes and plan.way == "Cached" else choice.way
        go(model, way)
        plan = plan.model_copy(update={"way": way, "reason": choice.reason})
        if subject.plan is None and execution.step_tokens is None:
            room = memory_bytes(plan.device, execution.sharing)
            tokens = fitting(Size.of(model), plan.step_tokens, sample.length, plan.head_rows, room)
            plan = plan.model_copy(update={"step_tokens": tokens})
        engine = Engine(model, way, plan.step_tokens, watches, plan.head_rows)
        opening = Opening(directory, plan, trusted, watches)
        may_cut = choice.resumes and subject.plan is None
        yield Prepared(engine, opening, [], found.notes, models, may_cut)


@contextmanager
def prepare(subject: Subject, asked: list[Asked]) -> Iterator[Prepared]:
    """The engine, its plan with the way that the model allows, and notes about it.

    Raises:
        InvalidInput: the model is wrong, or does not allow the request.
    """
    watches = any(one.watches_heads for one in asked)
    frozen = [one.frozen for one in asked]
    with _open(subject, subject.directory, frozen, watches) as opened:
        engine, chosen = opened.engine, opened.plan
        for one in asked:
            for half in one.readers:
                half.fits(engine.model, one.settings[half.name])
        if subject.plan is not None and chosen != subject.plan:
            raise Incompatible(
                f"{subject.directory}: allows the way {chosen.way}, but the run's first checkpoint "
                f"was evaluated by the way {subject.plan.way}: a run's checkpoints must be of one "
                "architecture"
            )
        notes = [f"prompts do not share beginnings: {chosen.reason}"] if chosen.reason else []
        cohorts = [
            Cohort(one, numbers, engine.planned(one.passages(numbers)), again)
            for one in asked
            for numbers, again in one.parts()
        ]
        yield replace(opened, cohorts=cohorts, notes=(*opened.notes, *notes))
