"""The interface of a probe's torch half, and its result for one checkpoint."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel

from lccp.api.objects.report import SignalValue
from lccp.contract.errors import InvalidInput
from lccp.contract.signals import Signal
from lccp.probes.probe import Contexts
from lccp.probes.settings.bands import quantity
from lccp_evaluator.passes.passage import Heads, Passage, Reading
from lccp_evaluator.records import FloatArray, Records, mean_by
from lccp_evaluator.sampling.samples import Drawn, FrozenSamples, Sample
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer

Arrays = Mapping[str, NDArray[Any]]

Column = tuple[FloatArray, Callable[[Any], Any]]
"""Values of samples [N], and the function applied to their mean: exp for NLLs."""


Turns = Sequence[list[Passage]]
"""Passages of one sample; only those of one turn are read together."""


@dataclass(frozen=True)
class Measurement:
    """What a probe measured at one checkpoint."""

    signals: Sequence[SignalValue]
    details: Arrays = field(default_factory=dict)
    """Arrays from which figures are drawn."""
    samples: Arrays = field(default_factory=dict)
    """Values of every sample."""
    notes: Sequence[str] = ()
    """Sentences that a reader of the report should know."""
    documents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """SHA-256 of the text of every document, by corpus."""


@dataclass(frozen=True)
class KeyChoice:
    """How a model chooses tokens of samples, once, before the samples are frozen."""

    model: Callable[[Any], str | None]
    """Maps settings to the directory of the model that chooses; None: the checkpoint itself."""
    turns: Callable[[FrozenSamples, Sample, Any], Turns]
    """Maps a sample and settings to the turns that the model reads."""
    choose: Callable[[Sequence[Sequence[list[Reading]]], Any], list[tuple[int, ...]]]
    """Maps each sample's readings and settings to its chosen tokens, as numbers of judged tokens.

    Raises InvalidInput if they are too few."""


@dataclass(frozen=True)
class SampleSource:
    """Samples that a probe draws and other probes may read."""

    version: int
    """Incremented when equal settings give other samples."""
    draw: Callable[[Any, Tokenizer, Files], Drawn]
    """Maps settings, tokenizer and the files that settings name to samples."""
    keys: KeyChoice | None = None


def _once(_samples: Sequence[Sample], _settings: Any) -> tuple[set[int], int]:
    return set(), 0


def _unmasked(_records: Records, _settings: Any) -> Mapping[str, Heads]:
    return {}


def _none(_samples: Sequence[Sample], _settings: Any) -> set[int]:
    return set()


def _silent(_samples: Sequence[Sample], _settings: Any, _seed: int) -> Mapping[int, int]:
    return {}


def _any_model(_model: PreTrainedModel, _settings: Any) -> None:
    pass


@dataclass(frozen=True)
class TorchHalf:
    """The half of a probe that reads a model."""

    name: str
    measure: Callable[[Records, Any, Contexts], Measurement]
    """Maps the samples' records, settings and contexts to the measurement."""
    source: SampleSource | None = None
    """Its own samples; None: it reads those of the probe that it needs."""
    watches_heads: bool = False
    """Whether it requests where heads look, which lengthens the pass."""
    routes: Callable[[Sequence[Sample], Any], set[int]] = _none
    """Maps samples and settings to numbers of the samples whose tokens' experts it requests."""
    answers: Callable[[Sequence[Sample], Any, int], Mapping[int, int]] = _silent
    """Maps samples, settings and the samples' seed to numbers of the samples that the model answers
    itself, with the most tokens it may say."""
    again: Callable[[Sequence[Sample], Any], tuple[set[int], int]] = _once
    """Maps samples and settings to the numbers of the samples to read again, and how often."""
    fits: Callable[[PreTrainedModel, Any], object] = _any_model
    """Asked before anything is measured; raises InvalidInput if the model lacks what settings
    request."""
    masks: Callable[[Records, Any], Mapping[str, Heads]] = _unmasked
    """Maps records and settings to that many sets of heads, each masked once (`Records.masked`)."""

    @property
    def generates(self) -> bool:
        """Whether the model answers samples itself."""
        return self.answers is not _silent


def measured(
    signal: Signal,
    value: float,
    n: int,
    by_cluster: Mapping[str, NDArray[np.float64]] | None = None,
    interval: tuple[float, float] | None = None,
) -> SignalValue:
    """The value of a signal. Raises InvalidInput if it is not a finite number."""
    clusters = {kind: tuple(values.tolist()) for kind, values in (by_cluster or {}).items()}
    if not all(map(math.isfinite, (value, *(v for own in clusters.values() for v in own)))):
        raise InvalidInput(
            f"{signal.title} is not a finite number: the checkpoint is damaged, or its training "
            "diverged"
        )
    declared = {name: getattr(signal, name) for name in Signal.model_fields}
    return SignalValue(**declared, value=value, n=n, by_cluster=clusters, interval=interval)


def means(
    signals: Iterable[Signal], columns: Mapping[str, Column], groups: Mapping[str, NDArray[Any]]
) -> Iterator[SignalValue]:
    """Means of the `signals` whose quantity has a column, in any band.

    `groups` are the clusters of the samples [N], by kind.
    """
    for signal in signals:
        if (name := quantity(signal)) in columns:
            values, of_mean = columns[name]
            clusters = {kind: of_mean(mean_by(group, values)) for kind, group in groups.items()}
            yield measured(signal, float(of_mean(values.mean())), len(values), clusters)
