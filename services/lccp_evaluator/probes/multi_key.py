"""Look-alike needles: margins between right and wrong values. See `lccp.probes.multi_key`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Band
from lccp.probes import multi_key
from lccp.probes.multi_key import MultiKeySettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.measurement import Column, Measurement, SampleSource, TorchHalf, means
from lccp_evaluator.records import BoolArray, FloatArray, Records
from lccp_evaluator.sampling import look_alikes
from lccp_evaluator.sampling.look_alikes import RIGHT, WRONG

QUESTION = ("nominal_length", "haystack", "set", "question")
"""Labels that samples of one question have in common."""


@dataclass(frozen=True)
class KeyAnswers:
    """Per question [Q]: the right value's NLL, and the least NLL of a wrong value."""

    right: Records
    nll: FloatArray
    wrong_nll: FloatArray

    @classmethod
    def of(cls, records: Records) -> "KeyAnswers":
        right, wrong = records.of(RIGHT), records.of(WRONG)
        least: dict[tuple[Any, ...], float] = {}
        for question, nll in zip(_questions(wrong), wrong.nll.tolist(), strict=True):
            least[question] = min(nll, least.get(question, np.inf))
        wrong_nll = np.array([least[question] for question in _questions(right)])
        return cls(right, right.nll, wrong_nll)


def measure(records: Records, asked: MultiKeySettings, contexts: Contexts) -> Measurement:
    """Signals by band and group size, and the values of every question."""
    answers = KeyAnswers.of(records)
    right = answers.right
    beyond = right.label("nominal_length") > contexts.source
    group = right.label("group")
    bands: dict[Band, BoolArray] = {"extension": beyond, "guard": ~beyond}
    found = [
        signal
        for band, in_band in bands.items()
        for size in asked.groups
        if (chosen := in_band & (group == size)).any()
        for signal in _signals(band, size, asked, answers, chosen)
    ]
    samples = right.columns() | {"nll": answers.nll, "wrong_nll": answers.wrong_nll}
    return Measurement(found, samples=samples)


def _signals(
    band: Band, size: int, asked: MultiKeySettings, answers: KeyAnswers, chosen: BoolArray
) -> Iterator[SignalValue]:
    """The signals of a band and group, with their means by haystack and by set."""
    groups: dict[str, NDArray[np.int64]] = {
        kind: answers.right.label(kind)[chosen] for kind in ("haystack", "set")
    }
    nll, wrong = answers.nll[chosen], answers.wrong_nll[chosen]
    columns: dict[str, Column] = {
        "multi_key_ppl": (nll, np.exp),
        "multi_key_margin": (wrong - nll, np.asarray),
        "multi_key_choice": ((nll < wrong).astype(np.float64), np.asarray),
    }
    declared = (signal for signal in multi_key.signals(asked) if signal.band == band)
    own = (signal for signal in declared if signal.name.endswith(f"/{size}"))
    return means(own, columns, groups)


def _questions(records: Records) -> list[tuple[Any, ...]]:
    return [tuple(sample.labels[name] for name in QUESTION) for sample in records.samples]


HALF = TorchHalf(
    multi_key.PROBE.name, measure, source=SampleSource(look_alikes.VERSION, look_alikes.draw)
)
