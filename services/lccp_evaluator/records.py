"""The readings of all samples: the only input of every probe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.sampling.samples import FrozenSamples, Ids, Sample

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


Spell = Callable[[Ids], str]
"""Token ids as text."""


def as_numbers(ids: Ids) -> str:
    """The ids as numbers, for use without a tokenizer."""
    return " ".join(map(str, ids.tolist()))


@dataclass(frozen=True)
class Records:
    """Samples and their readings, in the order in which they were drawn; N of them."""

    frozen: FrozenSamples
    samples: Sequence[Sample]
    readings: Sequence[Reading]
    masked: Mapping[str, Mapping[int, Reading]] = field(default_factory=dict)
    """Readings with heads masked, by set of heads and by the sample's number among all."""
    text: Spell = as_numbers

    def of(self, role: str) -> "Records":
        """Only the samples of a role."""
        return self.where(np.array([sample.role == role for sample in self.samples]))

    def where(self, chosen: BoolArray) -> "Records":
        """The samples for which `chosen` [N] holds."""
        numbers = np.flatnonzero(chosen).tolist()
        return replace(
            self,
            samples=[self.samples[number] for number in numbers],
            readings=[self.readings[number] for number in numbers],
        )

    @property
    def seed(self) -> int:
        """Seed with which the samples were drawn."""
        return int(self.frozen.header.settings["seed"])

    def label(self, name: str) -> NDArray[Any]:
        """The label of each sample [N]. Raises InvalidInput, naming theirs, if one lacks it."""
        for sample in self.samples:
            if name not in sample.labels:
                raise InvalidInput(
                    f"samples of {self.frozen.header.probe} have no label {name!r}: take one of "
                    f"{', '.join(sample.labels)}"
                )
        return np.array([sample.labels[name] for sample in self.samples])

    @cached_property
    def length(self) -> NDArray[np.int64]:
        """Tokens of each sample [N]."""
        return np.array([sample.length for sample in self.samples])

    @cached_property
    def nll(self) -> FloatArray:
        """NLL of each answer [N], in nats a token."""
        return np.array([reading.nll.mean(dtype=np.float64) for reading in self.readings])

    @cached_property
    def key_is_arg_max(self) -> FloatArray:
        """1.0 where every token of the answer's key is the arg-max, else 0.0 [N]."""
        pairs = zip(self.samples, self.readings, strict=True)
        return np.array([float(r.is_arg_max[s.key_start :].all()) for s, r in pairs])

    def needle_ids(self, number: int) -> Ids:
        """Ids of the needle of sample `number`."""
        sample = self.samples[number]
        assert sample.needle is not None
        return self.frozen.tokens(sample, sample.needle)

    def columns(self) -> dict[str, NDArray[Any]]:
        """What distinguishes the samples, as arrays [N] for the files beside the report."""
        names = self.samples[0].labels
        return {"length": self.length} | {name: self.label(name) for name in names}


def mean_by(groups: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Mean of `values` [N, ...] by group, in the order of the groups' numbers."""
    return np.stack([values[groups == group].mean(axis=0) for group in np.unique(groups)])
