"""What every way of evaluating is asked, and what it answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ways.cost import Cost

from lccp.probes.niah import NiahSettings

if TYPE_CHECKING:
    from lccp_evaluator.sampling.samples import FrozenSamples


@dataclass(frozen=True)
class Task:
    """A model, and the settings of the samples that it answers."""

    model: Path
    niah: NiahSettings


@dataclass(frozen=True)
class Outcome:
    """What one way cost, loading left out; NLL by sample, and mean head scores.

    `late_cpu_seconds` is the share of decoding after the first newline.
    """

    cost: Cost
    nll: list[float]
    scores: list[list[float]]
    late_cpu_seconds: float = 0.0


def frozen_samples(task: Task) -> "FrozenSamples":
    """The samples that all ways answer."""
    from lccp.tokenizer import tokenizer_digest
    from lccp_evaluator.sampling import crossing
    from lccp_evaluator.sampling.samples import FrozenSamples
    from lccp_evaluator.sampling.tokenization import Tokenizer

    tokenizer, digest = Tokenizer(task.model), tokenizer_digest(task.model)
    drawn, settings = crossing.draw(task.niah, tokenizer, Path()), task.niah.document()
    return FrozenSamples.of(drawn, "niah", crossing.VERSION, settings, digest, tokenizer.vocabulary)
