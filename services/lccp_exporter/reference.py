"""The reference page of all metrics, generated from their one table."""

from collections.abc import Iterable

from lccp_exporter.metrics import RUN_LABELS, RUN_METRICS, STORE_METRICS

HEAD = """# Metrics

`lccp-exporter` serves these at `/metrics`. They follow from the facts in the stores alone: a
restart loses nothing, and the series of a run go when the run goes.
This page is generated from `services/lccp_exporter/metrics.py`.
"""


def render() -> str:
    """`docs/reference/metrics.md`."""
    runs = [(m.name, m.kind, RUN_LABELS + m.labels, m.help) for m in RUN_METRICS]
    stores = [(m.name, m.kind, ("store",), m.help) for m in STORE_METRICS]
    return f"{HEAD}\n## Of every run\n\n{_table(runs)}\n\n## Of the exporter\n\n{_table(stores)}\n"


def _table(metrics: Iterable[tuple[str, str, tuple[str, ...], str]]) -> str:
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |"
        for name, kind, labels, text in metrics
    ]
    return "\n".join(["| name | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])
