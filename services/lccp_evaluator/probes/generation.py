"""Answers that the model generates: whether they hold the key. See `lccp.probes.generation`."""

from collections.abc import Mapping, Sequence

import numpy as np

from lccp.probes import generation
from lccp.probes.generation import GenerationSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.measurement import Measurement, TorchHalf, measured
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.crossing import FULL
from lccp_evaluator.sampling.samples import Sample


def answered(samples: Sequence[Sample], asked: GenerationSettings, seed: int) -> Mapping[int, int]:
    """Numbers of the samples that the model answers itself, and the most tokens it may say."""
    full = [number for number, sample in enumerate(samples) if sample.role == FULL]
    drawn = np.random.default_rng(seed).permutation(full)[: asked.samples].tolist()
    sizes = {number: samples[number].answer for number in sorted(drawn)}
    return {number: stop - start + asked.further for number, (start, stop) in sizes.items()}


def measure(records: Records, asked: GenerationSettings, _contexts: Contexts) -> Measurement:
    """Both signals, and per answered prompt whether its key was said, and whether it scored."""
    numbers = list(answered(records.samples, asked, records.seed))
    chosen = np.isin(np.arange(len(records.samples)), numbers)
    own = records.where(chosen)
    said = np.array([_holds(own, number) for number in range(len(own.samples))], np.float64)
    score = own.key_is_arg_max
    values = {"niah_containment": said, "niah_agreement": (said == score).astype(np.float64)}
    found = [
        measured(signal, float(values[signal.name].mean()), len(said))
        for signal in generation.signals(asked)
    ]
    return Measurement(found, samples={**own.columns(), "contained": said, "score": score})


def _holds(records: Records, number: int) -> bool:
    sample, reading = records.samples[number], records.readings[number]
    start, stop = sample.answer
    key = records.frozen.tokens(sample, (start + sample.key_start, stop))
    return _plain(records.text(key)) in _plain(records.text(reading.said))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


HALF = TorchHalf(generation.PROBE.name, measure, answers=answered)
