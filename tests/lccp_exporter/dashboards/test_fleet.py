"""The dashboard of all runs."""

import re

from lccp_exporter.dashboards.fleet import FLEET, TABLE
from lccp_exporter.metrics.table import RUN_METRICS


def test_it_asks_for_metrics_that_runs_have() -> None:
    asked = {
        name
        for panel in FLEET.panels
        for query in panel.queries
        for name in re.findall(r"\blccp_\w+", query.expression)
    }

    assert asked
    assert asked <= {metric.name for metric in RUN_METRICS}


def test_every_query_of_the_table_is_a_column_or_named_by_its_label() -> None:
    organize = TABLE.transformations[-1]["options"]
    columns = {f"Value #{chr(ord('A') + number)}" for number in range(len(TABLE.queries))}

    renamed, hidden = set(organize["renameByName"]), set(organize["excludeByName"])
    assert columns == (renamed | hidden) - {"namespace", "run", "phase", "state", "Time"}
    assert not renamed & hidden
