"""Hand-made records of a needle grid: two lengths, two depths, three haystacks, two needles."""

from collections.abc import Callable, Sequence

import numpy as np

from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.probes.measurement import Measurement
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.crossing import FULL, NONE, ORACLE
from lccp_evaluator.sampling.header import Header
from lccp_evaluator.sampling.samples import FrozenSamples, Labels, Sample

NEEDLES = (np.array((7, 8, 7, 9)), np.array((5, 6)))
KEY_STARTS = (2, 1)
LENGTHS, DEPTHS, HAYSTACKS = (100, 200), (0, 50), 3
NIAH = NiahSettings(lengths=LENGTHS, depths_percent=DEPTHS, haystacks=HAYSTACKS)

Copied = Callable[[Sample], np.ndarray]


def a_sample(length: int, depth: int, haystack: int, needle: int) -> Sample:
    size = len(NEEDLES[needle])
    return Sample(
        role=FULL,
        slices=((0, 0, 10), (1 + needle, 0, size), (0, 0, length - 10 - size)),
        needle=(10, 10 + size),
        answer=(length - size, length),
        key_start=KEY_STARTS[needle],
        labels={
            "depth_percent": depth,
            "achieved_depth_percent": depth + haystack / 10,
            "haystack": haystack,
            "needle": needle,
        },
    )


def a_short_sample(role: str, needle: int) -> Sample:
    """A needle's question without context, or with the needle alone."""
    size = len(NEEDLES[needle])
    slices = ((0, 0, 10), (1 + needle, 0, size))
    return Sample(role=role, slices=slices, answer=(10, 10 + size), labels={"needle": needle})


def nll(sample: Sample) -> float:
    """Differs by everything that samples differ by."""
    labels = sample.labels
    match sample.role:
        case "none":
            return 3.0 + labels["needle"] / 2
        case "oracle":
            return 0.05 + labels["needle"] / 50
    by_cell = sample.length / 1_000 + labels["depth_percent"] / 500
    return 0.1 + by_cell + 0.3 ** labels["haystack"] / 10 + labels["needle"] / 8


def a_reading(sample: Sample, copied: Copied | None = None) -> Reading:
    size = sample.answer[1] - sample.answer[0]
    is_arg_max = np.ones(size, dtype=bool)
    is_arg_max[0] = sample.labels.get("haystack") != 0  # misses the stem
    is_arg_max[-1] = sample.labels.get("haystack") != 1  # misses the key
    token_nll = np.full(size, nll(sample), dtype=np.float64)
    token_nll += np.linspace(-0.05, 0.05, size)
    nothing = np.full((2, 2, size), -1, dtype=np.int16)
    copies = copied(sample) if copied and sample.role == FULL else nothing
    mass = np.full((2, 2), 0.25, np.float32) + np.float32(sample.labels["needle"]) / 8
    return Reading(token_nll, is_arg_max, copies, mass, np.ones((2, size), np.bool_))


def records(
    copied: Copied | None = None, needles: int = 2, depths: Sequence[int] = DEPTHS
) -> Records:
    samples = [
        a_sample(length, depth, haystack, needle)
        for length in LENGTHS
        for depth in depths
        for haystack in range(HAYSTACKS)
        for needle in range(needles)
    ]
    for needle in range(needles):
        samples += [a_short_sample(NONE, needle), a_short_sample(ORACLE, needle)]
    header = Header(
        probe="niah", version=1, settings={"seed": 0}, tokenizer_digest="d", vocabulary=10
    )
    frozen = FrozenSamples(header, (np.zeros(200, int), *NEEDLES), tuple(samples))
    return Records(frozen, samples, [a_reading(sample, copied) for sample in samples])


def plain_records(
    probe: str, nll: Sequence[Sequence[float]], labels: Sequence[Labels], roles: Sequence[str] = ()
) -> Records:
    """Samples of `probe`: NLL of the judged tokens of each, which are all arg-max, its labels, and
    its role."""
    parts = tuple(np.zeros(len(one) + 1, int) for one in nll)
    samples = [
        Sample(
            role=roles[number] if roles else "",
            slices=((number, 0, len(one) + 1),),
            answer=(1, len(one) + 1),
            labels=labels[number],
        )
        for number, one in enumerate(nll)
    ]
    header = Header(probe=probe, version=1, settings={}, tokenizer_digest="d", vocabulary=10)
    unwatched = np.zeros((0, 0, 0), np.int16)
    readings = [Reading(np.array(one), np.ones(len(one), bool), unwatched) for one in nll]
    return Records(FrozenSamples(header, parts, tuple(samples)), samples, readings)


def contexts(source: int) -> Contexts:
    return Contexts(source, 200, 200)


def signals(measurement: Measurement) -> dict[str, object]:
    return {signal.name: signal for signal in measurement.signals}
