"""The input and the output of every way of evaluating."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ways.cost import Cost

from lccp.probes.niah import NiahSettings, resolved
from lccp.probes.probe import Contexts

if TYPE_CHECKING:
    from lccp_evaluator.passes.passage import Passage

Cell = tuple[int, float]
"""Length in tokens, and depth in percent."""


@dataclass(frozen=True)
class Task:
    """A grid of needles in one haystack, and the evaluated model.

    A peer computes every sample separately, at the same cost at every depth: it may read only some
    of the `depths`, and be counted for all.
    """

    model: Path
    lengths: tuple[int, ...]
    depths: tuple[int, ...]
    needles: int
    read_by_peers: tuple[int, ...]

    @property
    def all_for_read(self) -> float:
        """Depths of the grid for each one that a peer reads."""
        return len(self.depths) / len(self.read_by_peers)


@dataclass(frozen=True)
class Outcome:
    """The cost of one way, excluding loading.

    By sample the mean NLL of the answer's tokens, in nats, and the mean of its heads' scores.
    """

    cost: Cost
    nll: dict[int, float]
    scores: list[list[float]]


def passages(task: Task, depths: tuple[int, ...]) -> dict[int, "Passage"]:
    """Prompts with their answers at the given depths, by their numbers in the grid."""
    from lccp.tokenizer import tokenizer_digest
    from lccp_evaluator.sampling import crossing
    from lccp_evaluator.sampling.samples import FrozenSamples
    from lccp_evaluator.sampling.sources.files import Files
    from lccp_evaluator.sampling.tokenization import Tokenizer

    settings = _settings(task)
    tokenizer, digest = Tokenizer(task.model), tokenizer_digest(task.model)
    drawn = crossing.draw(settings, tokenizer, Files(Path()))
    document, version = settings.document(), crossing.VERSION
    vocabulary = tokenizer.vocabulary
    frozen = FrozenSamples.of(drawn, "niah", version, document, digest, vocabulary, files={})
    found = frozen.cohorts()[0]
    return {
        number: frozen.passage(frozen.samples[number])
        for number in found
        if frozen.samples[number].labels.get("depth_percent") in depths
    }


def _settings(task: Task) -> NiahSettings:
    niah = NiahSettings(
        lengths=task.lengths,
        depths_percent=task.depths,
        haystacks=2,
        needles_per_haystack=task.needles,
    )
    longest = max(task.lengths)
    return resolved(niah, Contexts(longest, longest, longest))
