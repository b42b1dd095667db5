"""What Prometheus would read from the exporter's page."""

from dataclasses import dataclass
from typing import Self

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from lccp_exporter import exposition
from lccp_exporter.refresh import Runs


@dataclass(frozen=True)
class Scraped:
    """A page of metrics."""

    families: tuple[Metric, ...]

    @classmethod
    def text(cls, page: str) -> Self:
        return cls(tuple(text_string_to_metric_families(page)))

    @classmethod
    def of(cls, runs: Runs) -> Self:
        """The page as the exporter renders it for `runs`."""
        parts = exposition.page([run.lines for run in runs.all()], runs.stores())
        return cls.text(b"".join(parts).decode())

    def samples(self, name: str, **labels: str) -> list[Sample]:
        """Samples of that name that have these labels, whatever else they have."""
        found = (s for family in self.families for s in family.samples if s.name == name)
        return [s for s in found if labels.items() <= s.labels.items()]

    def value(self, name: str, **labels: str) -> float | None:
        """The sample of that name with exactly these labels."""
        exact = [s.value for s in self.samples(name, **labels) if s.labels == labels]
        return exact[0] if exact else None
