"""The user's own questions: perplexity of the right answers. See `lccp.probes.target_ppl`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Band
from lccp.probes import target_ppl
from lccp.probes.probe import Contexts
from lccp.probes.settings.bands import quantity
from lccp.probes.target_ppl import TargetPplSettings
from lccp_evaluator.probes.measurement import (
    Arrays,
    Column,
    Measurement,
    SampleSource,
    TorchHalf,
    measured,
)
from lccp_evaluator.probes.statistics.cells import by_sample
from lccp_evaluator.records import BoolArray, FloatArray, Records, mean_by
from lccp_evaluator.sampling import targets
from lccp_evaluator.sampling.targets import FEWEST_TEXTS, FULL, NONE


@dataclass(frozen=True)
class TargetAnswers:
    """Per question [N]: NLL (nats per token) with and without its context, and its hits."""

    context: NDArray[Any]
    nll: FloatArray
    without: FloatArray
    score: FloatArray

    def where(self, chosen: BoolArray) -> "TargetAnswers":
        """The questions for which `chosen` [N] holds."""
        return TargetAnswers(
            self.context[chosen], self.nll[chosen], self.without[chosen], self.score[chosen]
        )


def measure(records: Records, asked: TargetPplSettings, contexts: Contexts) -> Measurement:
    """Signals of both bands, perplexity by length of the prompt, and values of every question."""
    full = records.of(FULL)
    answers = TargetAnswers(
        full.label("context"), full.nll, records.of(NONE).nll, full.key_is_arg_max
    )
    beyond = full.length > contexts.source
    bands: dict[Band, BoolArray] = {"extension": beyond, "guard": ~beyond}
    found: list[SignalValue] = []
    notes: list[str] = []
    for band, chosen in bands.items():
        texts = len(np.unique(answers.context[chosen]))
        if texts >= FEWEST_TEXTS:
            found += _signals(band, asked, answers.where(chosen))
        elif texts:
            notes.append(f"targetPpl: {band} is not measured: all its questions are about one text")
    samples = by_sample(full, {"score": answers.score, "nll_without_context": answers.without})
    return Measurement(found, _by_length(full), samples, notes)


def _signals(band: Band, asked: TargetPplSettings, answers: TargetAnswers) -> Iterator[SignalValue]:
    """The signals of a band, with their means by text."""
    columns: dict[str, Column] = {
        "target_ppl": (answers.nll, np.exp),
        "target_score": (answers.score, np.asarray),
        "target_context_gain": (answers.without - answers.nll, np.asarray),
    }
    for signal in target_ppl.signals(asked):
        if signal.band == band:
            column, of_mean = columns[quantity(signal)]
            by_text = mean_by(answers.context, column)
            clusters = {"context": of_mean(by_text)}
            yield measured(signal, float(of_mean(by_text.mean())), len(column), clusters)


def _by_length(full: Records) -> Arrays:
    """Perplexity of the questions whose prompts have from `lengths` to twice as many tokens."""
    power = np.floor(np.log2(full.length)).astype(np.int64)
    return {
        "lengths": 2 ** np.unique(power),
        "ppl_by_length": np.exp(mean_by(power, full.nll)),
        "questions": np.unique(power, return_counts=True)[1],
    }


HALF = TorchHalf(target_ppl.PROBE.name, measure, source=SampleSource(targets.VERSION, targets.draw))
