"""A Prometheus with a past: from its start it holds what it would have scraped before."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitoring import Prometheus, prometheus
from needs import program


@dataclass(frozen=True)
class Page:
    """What an exporter showed at some time, in seconds since 1970."""

    at: float
    instance: str
    text: str

    def samples(self) -> Iterator[str]:
        """Its samples with the labels and the time of a scrape."""
        own = f'instance="{self.instance}",job="lccp"'
        for line in self.text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                yield f"{name}{{{own}{',' + labels if labels else '}'} {value} {self.at:.3f}"


@contextmanager
def remembering(folder: Path, pages: Iterable[Page]) -> Iterator[Prometheus]:
    """A Prometheus that holds the samples of `pages`, and scrapes nothing."""
    told = folder / "past.txt"
    told.write_text("\n".join(line for page in pages for line in page.samples()) + "\n# EOF\n")
    promtool = program("promtool", "is in Debian's package prometheus")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", told, folder / "prometheus"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with prometheus(folder, []) as running:
        yield running
