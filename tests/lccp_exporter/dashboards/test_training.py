"""Panels of how a run trains."""

import re

from lccp_exporter.dashboards.training import gpus, training
from lccp_exporter.metrics.table import RUN_METRICS


def test_they_ask_for_metrics_of_the_run_that_is_chosen() -> None:
    asked = [query.expression for panel in training() for query in panel.queries]
    names = {name for one in asked for name in re.findall(r"\blccp_\w+", one)}
    assert names <= {metric.name for metric in RUN_METRICS}
    assert [one for one in asked if 'namespace="$namespace", run="$run"' not in one] == []


def test_a_panel_has_one_axis_so_its_queries_have_one_unit() -> None:
    together = {panel.title for panel in training() if len(panel.queries) > 1}
    assert together == {
        "Checkpoints",
        "Routers: the busiest expert",
        "Loss by source",
        "Evaluations",
    }


def test_gpus_are_asked_for_by_either_name_of_their_labels() -> None:
    for panel in gpus():
        (query,) = panel.queries
        honoured, renamed = query.expression.split(" or ")
        assert {honoured.count("exported_"), renamed.count("exported_")} == {2, 0}


def test_dcgm_gives_memory_in_mebibytes() -> None:
    (memory,) = (panel for panel in gpus() if "FB_USED" in panel.queries[0].expression)
    assert memory.unit == "mbytes"  # Grafana's decmbytes are megabytes
