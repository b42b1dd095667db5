"""The collector: series are made from the facts at each scrape, so they die with their run."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lccp_exporter.facts import RunFacts
from lccp_exporter.metrics import RUN_LABELS, RUN_METRICS, STORE_METRICS
from lccp_exporter.refresh import StoreHealth, StoreWatch

Family = CounterMetricFamily | GaugeMetricFamily
FAMILIES: dict[str, Callable[..., Family]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
}


class RunCollector(Collector):
    """Metrics of the runs and stores that `watches` know at the time of a scrape."""

    def __init__(self, watches: Sequence[StoreWatch]) -> None:
        self._watches = watches

    def describe(self) -> Iterable[Metric]:
        return families((), ())

    def collect(self) -> Iterable[Metric]:
        runs = _newest_of_each(facts for watch in self._watches for facts in watch.runs)
        return families(runs, [watch.health for watch in self._watches])


def families(runs: Sequence[RunFacts], stores: Sequence[StoreHealth]) -> Iterator[Metric]:
    """Every metric with the samples of `runs` and `stores`."""
    for metric in RUN_METRICS:
        family = FAMILIES[metric.kind](metric.name, metric.help, labels=RUN_LABELS + metric.labels)
        for facts in runs:
            for labels, value in metric.samples(facts):
                if value is not None:
                    family.add_metric((facts.namespace, facts.run, *labels), value)
        yield family
    for own in STORE_METRICS:
        family = FAMILIES[own.kind](own.name, own.help, labels=("store",))
        for health in stores:
            value = own.value(health)
            if value is not None:
                family.add_metric((health.store,), value)
        yield family


def _newest_of_each(runs: Iterable[RunFacts]) -> list[RunFacts]:
    """One of each namespace and run: where two stores hold it, the one that was trained last."""
    found: dict[tuple[str, str], RunFacts] = {}
    for facts in runs:
        key = (facts.namespace, facts.run)
        if key not in found or _last_sign(facts) > _last_sign(found[key]):
            found[key] = facts
    return [facts for _, facts in sorted(found.items())]


def _last_sign(facts: RunFacts) -> float:
    return facts.heartbeat.at.timestamp() if facts.heartbeat else 0.0
