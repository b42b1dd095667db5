"""Samples to be answered, and what their readers need to know about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from lccp.contract.base import Contract
from lccp.probes.routing import BANDS
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import Schedule
from lccp_evaluator.probes.measurement import TorchHalf, Turns
from lccp_evaluator.records import Spell, as_numbers
from lccp_evaluator.sampling.samples import FrozenSamples


@dataclass(frozen=True)
class Again:
    """A probe for which samples are read again, and which of its sets of heads is masked."""

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
    """The samples were drawn now, and are kept nowhere yet."""
    unchosen: Sequence[Turns] = ()
    """What a model has yet to read of each sample, in turns, to choose tokens in it."""

    @property
    def probe(self) -> str:
        """Whose samples they are."""
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
        """Numbers of the samples of a haystack, for each time that they are read."""
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
    """The samples of one haystack, which are read together: their prompts begin alike."""

    asked: Asked
    numbers: list[int]
    plan: Schedule
    again: Again | None = None
    """Why they are read again; None: this is the first time."""

    def passages(self) -> list[Passage]:
        """The samples, as passages for the engine."""
        passages = self.asked.passages(self.numbers)
        if self.again is None:
            return passages
        return [replace(one, needle=None, bands=0, say=0) for one in passages]
