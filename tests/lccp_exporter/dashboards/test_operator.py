"""The dashboard of the operator and the exporter."""

import re

import pytest
from prometheus_client import CollectorRegistry

from lccp_exporter.dashboards.operator import OPERATOR
from lccp_exporter.metrics.own import STORES
from lccp_operator.kubernetes.metrics import Metrics


def expressions(title: str) -> list[tuple[str, str]]:
    (panel,) = [panel for panel in OPERATOR.panels if panel.title == title]
    return [(query.expression, query.legend) for query in panel.queries]


def test_it_asks_for_metrics_that_operator_or_exporter_have() -> None:
    registry = CollectorRegistry()
    Metrics(registry, lambda: 0)
    known = {family.name.removesuffix("_total") for family in registry.collect()}
    known |= {own.name.removesuffix("_total") for own in STORES}
    known |= {"lccp_run_summary", "lccp_run_condition"}
    asked = {
        re.sub("_(total|bucket|count)$", "", name)
        for panel in OPERATOR.panels
        for query in panel.queries
        for name in re.findall(r"\blccp_\w+", query.expression)
    }

    assert asked
    assert asked <= known


@pytest.mark.parametrize(
    ("title", "legends", "by"),
    [
        ("Duration of a reconcile", ["p50", "p99"], "(le)"),
        ("Calls of the stores", ["p99 {{method}}"], "(le, method)"),
    ],
)
def test_quantiles_are_named_by_their_share_and_label(
    title: str, legends: list[str], by: str
) -> None:
    assert [legend for _, legend in expressions(title)] == legends
    assert all(f"sum by {by} (rate(" in expression for expression, _ in expressions(title))
