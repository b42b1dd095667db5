"""A metric, and the forms that most metrics have."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lccp.api.labels import tokens_key
from lccp.api.objects.journal import Journal
from lccp.api.objects.training import Heartbeat
from lccp_exporter.facts import ExportedFacts, ExportedVerdict
from lccp_exporter.measured import SignalKey

RUN_LABELS = ("namespace", "run")
Samples = Iterable[tuple[tuple[str, ...], float | None]]
"""Values of the additional labels with the value; None: unknown, no sample."""


@dataclass(frozen=True)
class RunMetric:
    """A metric of a run; its series exist as long as the run."""

    name: str
    help: str
    samples: Callable[[ExportedFacts], Samples]
    labels: tuple[str, ...] = ()
    """Labels in addition to namespace and run."""
    kind: Literal["gauge", "counter"] = "gauge"
    most: int = 1
    """Maximum number of series of one run."""


def padded(number: int, digits: int) -> str:
    """`number` with leading zeros, since labels sort as text."""
    return f"{number:0{digits}d}"


def one(value: Callable[[ExportedFacts], float | None]) -> Callable[[ExportedFacts], Samples]:
    """Samples of a metric with one series a run."""
    return lambda facts: [((), value(facts))]


def of_heartbeat(value: Callable[[Heartbeat], float | None]) -> Callable[[ExportedFacts], Samples]:
    return one(lambda facts: value(facts.heartbeat) if facts.heartbeat else None)


def of_journal(value: Callable[[Journal], float | None]) -> Callable[[ExportedFacts], Samples]:
    return one(lambda facts: value(facts.journal) if facts.journal else None)


def of_verdict(
    value: Callable[[ExportedVerdict], float | None],
) -> Callable[[ExportedFacts], Samples]:
    return one(lambda facts: value(facts.judged) if facts.judged else None)


def by_tokens(points: Mapping[int, Mapping[SignalKey, float]], count: int) -> Samples:
    """The last `count` points: signal, band and tokens (15 digits) of each value."""
    return [
        ((*key, tokens_key(tokens)), value)
        for tokens, values in list(points.items())[-count:]
        for key, value in values.items()
    ]


def one_hot(states: Iterable[StrEnum], state: StrEnum) -> Samples:
    """1 for the state, 0 for the others."""
    return [((each.value,), float(each is state)) for each in states]
