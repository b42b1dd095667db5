"""Samples to be answered, what their readers need to know about them, and how they are read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lccp.contract.base import Contract
from lccp.probes.routing import BANDS
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import Schedule
from lccp_evaluator.passes.ways import go
from lccp_evaluator.probes.measurement import TorchHalf, Turns
from lccp_evaluator.progress import Share
from lccp_evaluator.records import Spell, as_numbers
from lccp_evaluator.sampling.samples import FrozenSamples
from lccp_evaluator.spread.opening import Opening


@dataclass(frozen=True)
class Again:
    """A probe that requests samples again, and the number of its set of heads to be masked."""

    half: TorchHalf
    number: int


@dataclass(frozen=True)
class Asked:
    """Samples to be answered, and the probes that read the answers."""

    frozen: FrozenSamples
    readers: list[TorchHalf]
    settings: Mapping[str, Contract]
    """The readers' settings by probe, with defaults resolved."""
    text: Spell = as_numbers
    drawn: bool = False
    """The samples have just been drawn, and are not stored yet."""
    unchosen: Sequence[Turns] = ()
    """The turns of each sample that a model must still read to choose tokens in it."""

    @property
    def probe(self) -> str:
        """The probe that drew the samples."""
        return self.frozen.header.probe

    @property
    def watches_heads(self) -> bool:
        """Whether a reader requests where heads look."""
        return any(half.watches_heads for half in self.readers)

    @cached_property
    def routed(self) -> set[int]:
        """Numbers of the samples for whose tokens a reader requests the experts."""
        samples = self.frozen.samples
        return {n for half in self.readers for n in half.routes(samples, self.settings[half.name])}

    @cached_property
    def answered(self) -> dict[int, int]:
        """Numbers of the samples that the model answers itself, with the most tokens it may say."""
        samples, seed = self.frozen.samples, self.frozen.header.settings.get("seed", 0)
        asked = [half.answers(samples, self.settings[half.name], seed) for half in self.readers]
        return {number: tokens for one in asked for number, tokens in one.items()}

    def parts(self) -> Iterator[tuple[list[int], Again | None]]:
        """The numbers of each haystack's samples, once for every time they are read."""
        cohorts = self.frozen.cohorts()
        yield from ((numbers, None) for numbers in cohorts)
        for half in self.readers:
            again, times = half.again(self.frozen.samples, self.settings[half.name])
            chosen = [[number for number in numbers if number in again] for numbers in cohorts]
            for number in range(times):
                yield from ((numbers, Again(half, number)) for numbers in filter(None, chosen))

    def passages(self, numbers: list[int]) -> list[Passage]:
        """The samples with these numbers, as passages for the engine."""
        passages = ((n, self.frozen.passage(self.frozen.samples[n])) for n in numbers)
        return [
            replace(one, bands=BANDS if n in self.routed else 0, say=self.answered.get(n, 0))
            for n, one in passages
        ]


@dataclass(frozen=True)
class Cohort:
    """The samples of one haystack, read together because their prompts begin alike."""

    asked: Asked
    numbers: list[int]
    plan: Schedule
    again: Again | None = None
    """The reason for reading them again; None: this is the first time."""

    def passages(self) -> list[Passage]:
        """The samples, as passages for the engine."""
        passages = self.asked.passages(self.numbers)
        if self.again is None:
            return passages
        return [replace(one, needle=None, bands=0, say=0) for one in passages]


@dataclass(frozen=True)
class Prepared:
    """An engine for all requested samples, and how it will compute them."""

    engine: Engine
    opening: Opening
    """How another process can open the same engine."""
    cohorts: list[Cohort]
    """First readings come before repeated ones."""
    notes: tuple[str, ...]
    models: int = 1
    """Models that read haystacks in parallel."""
    may_cut: bool = False
    """Whether prompts that are read whole may be cut if memory runs out: the model reads on from
    its own cache (`ways.Choice`), and no other checkpoint of the run was read whole."""

    @property
    def shares(self) -> list[Share]:
        """Each cohort's share of the evaluation."""
        works = [self.engine.work(one.passages(), one.plan) for one in self.cohorts]
        return [Share(len(c.numbers), w.tokens) for c, w in zip(self.cohorts, works, strict=True)]

    @property
    def plan(self) -> ExecutionPlan:
        """The execution plan, with the way that the model allows."""
        return self.opening.plan

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with its answer."""
        return max(len(one.ids) for each in self.cohorts for one in each.passages())

    def halved(self) -> "Prepared | None":
        """The same with passes of half as many tokens; None if impossible or of no help.

        Its model must be set up for it (`set_up`).
        """
        plan = self.plan.halved(self.longest, self.may_cut)
        if plan is None or plan.way is None:
            return None
        engine = replace(self.engine, way=plan.way, step_tokens=plan.step_tokens)
        cohorts = [replace(one, plan=engine.planned(one.passages())) for one in self.cohorts]
        opening = replace(self.opening, plan=plan)
        return replace(self, engine=engine, opening=opening, cohorts=cohorts)

    def set_up(self) -> None:
        """Set the model up for the way of the plan."""
        assert self.plan.way is not None
        go(self.engine.model, self.plan.way)
