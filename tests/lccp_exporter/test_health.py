"""Labels of the exporter's own health."""

from a_run import START

from lccp_exporter.health import ExportHealth, ReadHealth
from lccp_exporter.metrics.own import EXPORT_LABELS, STORE_LABELS


def test_values_come_in_the_order_of_their_names() -> None:
    export = ExportHealth(tracker="MLflow", run="tiny", namespace="default")

    store = ReadHealth("main", START)

    assert dict(zip(STORE_LABELS, store.labels, strict=True)) == {"store": "main"}
    assert dict(zip(EXPORT_LABELS, export.labels, strict=True)) == {
        "namespace": "default",
        "run": "tiny",
        "tracker": "MLflow",
    }
