"""The reference page of all metrics, generated from their table."""

from collections.abc import Iterable

from lccp_exporter.metrics.cells import CELLS_MAX
from lccp_exporter.metrics.metric import RUN_LABELS
from lccp_exporter.metrics.own import EXPORT_LABELS, EXPORTS, STORE_LABELS, STORES
from lccp_exporter.metrics.table import RUN_METRICS, SERIES_MAX

HEAD = f"""# Metrics

`lccp-exporter` serves these at `/metrics`. They follow only from the facts in the stores: a
restart loses nothing, and a run's series end when the run is removed. A run has fewer than
{SERIES_MAX} series, whatever it measures; the column `most` is the maximum of each metric
(all grids of a run have {CELLS_MAX} cells together).
This page is generated from `services/lccp_exporter/metrics/`.
"""


def render() -> str:
    """`docs/reference/metrics.md`."""
    runs = [(m.name, m.kind, RUN_LABELS + m.labels, m.most, m.help) for m in RUN_METRICS]
    own = [
        *((m.name, m.kind, STORE_LABELS, 1, m.help) for m in STORES),
        *((m.name, m.kind, EXPORT_LABELS, 3, m.help) for m in EXPORTS),
    ]
    return f"{HEAD}\n## Of every run\n\n{_table(runs)}\n\n## Of the exporter\n\n{_table(own)}\n"


def _table(metrics: Iterable[tuple[str, str, tuple[str, ...], int, str]]) -> str:
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {most} | {text} |"
        for name, kind, labels, most, text in metrics
    ]
    head = ["| name | type | labels | most | meaning |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])
