"""The reference of metrics."""

from lccp_exporter.metrics.own import EXPORTS, STORES
from lccp_exporter.metrics.table import RUN_METRICS
from reference import metrics


def test_the_reference_lists_every_metric() -> None:
    page = metrics.render()
    for metric in (*RUN_METRICS, *STORES, *EXPORTS):
        assert page.count(f"| `{metric.name}` |") == 1
