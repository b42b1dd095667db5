"""The page that Prometheus scrapes.

The lines of a run are rendered when its facts change, not at every scrape: a thousand runs have
some hundred thousand series, most of which are unchanged.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from lccp_exporter.facts import ExportedFacts
from lccp_exporter.health import ExportHealth, ReadHealth
from lccp_exporter.metrics.metric import RUN_LABELS, RunMetric
from lccp_exporter.metrics.own import (
    EXPORT_LABELS,
    EXPORTS,
    STORE_LABELS,
    STORES,
    Health,
    OwnMetric,
)
from lccp_exporter.metrics.table import RUN_METRICS

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
PART_BYTES = 2**18
Family = CounterMetricFamily | GaugeMetricFamily
FAMILIES: dict[str, Callable[..., Family]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
}

Lines = tuple[bytes, ...]
"""Sample lines of one run, by metric in the order of the table."""


def lines(facts: ExportedFacts) -> Lines:
    """The sample lines of `facts`."""
    parts = (b"\n" + _text(_families(facts))).split(b"\n# HELP ")[1:]
    return tuple(_samples(part) for part in parts)


def unchanged(before: Lines, now: Lines) -> Lines:
    """`now`, with the objects of `before` where the lines are the same."""
    old = before or now
    return tuple(a if a == b else b for a, b in zip(old, now, strict=True))


def page(
    runs: Sequence[Lines], stores: Sequence[ReadHealth], exports: Sequence[ExportHealth] = ()
) -> Iterator[bytes]:
    """The page in parts, so that it is never in memory as a whole."""
    part = bytearray()
    for number, head in enumerate(HEADS):
        part += head
        for run in runs:
            part += run[number]
            if len(part) >= PART_BYTES:
                yield bytes(part)
                part.clear()
    own = [*_own(STORES, STORE_LABELS, stores), *_own(EXPORTS, EXPORT_LABELS, exports)]
    yield bytes(part) + _text(own)


def _family(metric: RunMetric) -> Family:
    return FAMILIES[metric.kind](metric.name, metric.help, labels=RUN_LABELS + metric.labels)


def _families(facts: ExportedFacts) -> Iterator[Metric]:
    """Every metric with the samples of the run."""
    for metric in RUN_METRICS:
        family = _family(metric)
        for labels, value in metric.samples(facts):
            if value is not None:
                family.add_metric((facts.namespace, facts.run, *labels), value)
        yield family


def _own(
    table: Sequence[OwnMetric[Health]], labels: Sequence[str], known: Sequence[Health]
) -> Iterator[Metric]:
    for own in table:
        family = FAMILIES[own.kind](own.name, own.help, labels=labels)
        for health in known:
            if (value := own.value(health)) is not None:
                family.add_metric(health.labels, value)
        yield family


class _Given(Collector):
    """A collector of given metrics."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _text(metrics: Iterable[Metric]) -> bytes:
    """The metrics in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(metrics))
    return generate_latest(registry)


def _samples(part: bytes) -> bytes:
    """The sample lines in a metric's `part` of a page: all but its first two lines."""
    samples = part.rstrip(b"\n").split(b"\n", 2)[2:]
    return b"".join(b"%b\n" % text for text in samples)


HEADS = tuple(_text([_family(metric)]) for metric in RUN_METRICS)
