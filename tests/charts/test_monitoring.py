"""Rules and dashboards: right by promtool's judgement, and about metrics that exist."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm import CHART, Helm
from needs import program
from prometheus_client import CollectorRegistry

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType, Reason
from lccp.api.objects.verdict import VerdictState
from lccp_exporter.facts import RunPhase
from lccp_exporter.metrics.own import EXPORTS, STORES
from lccp_exporter.metrics.table import RUN_METRICS
from lccp_exporter.metrics.verdict import BUDGETS
from lccp_operator.kubernetes.metrics import Metrics
from lccp_operator.kubernetes.run_states import RunStates

ALERTS = CHART / "files" / "alerts.yaml"
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
METRIC = re.compile(r"\blccp_\w+")
MATCHER = re.compile(r'\b(state|cause|phase|budget|reason|summary)(?:=|!=|=~|!~)"([^"$]+)"')


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def known_metrics() -> set[str]:
    registry = CollectorRegistry()
    Metrics(registry, lambda: 0)
    registry.register(RunStates(lambda: True))
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    own = {
        f"{family.name}{suffix}"
        for family in registry.collect()
        for suffix in ("", *suffixes.get(family.type, ()))
    }
    return own | {metric.name for metric in (*RUN_METRICS, *STORES, *EXPORTS)}


def queries(node: Any) -> Iterator[str]:
    """Every PromQL expression of a dashboard, those of its variables included."""
    if isinstance(node, dict):
        yield from (node[key] for key in ("expr", "query") if isinstance(node.get(key), str))
        for child in node.values():
            yield from queries(child)
    elif isinstance(node, list):
        for child in node:
            yield from queries(child)


@pytest.mark.parametrize("path", [ALERTS, *DASHBOARDS], ids=lambda path: path.name)
def test_every_metric_and_label_value_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = set(METRIC.findall(text))
    assert used
    assert used <= known_metrics()
    enums = (*VerdictState, *Cause, *RunPhase, *Reason, *ConditionType)
    values = {one.value for one in enums} | set(BUDGETS) | {"Refused"}
    named = {value for _, text_ in MATCHER.findall(text) for value in text_.split("|")}
    assert named <= values


@pytest.mark.slow
@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_can_be_provisioned(path: Path, tmp_path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    assert board["uid"] == f"lccp-{path.stem}"
    assert board["id"] is None
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(board))) <= variables
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    recorded = [
        {"record": f"panel:{number}", "expr": target["expr"]}
        for number, panel in enumerate(board["panels"])
        for target in panel["targets"]
    ]
    rules = {"groups": [{"name": "panels", "rules": recorded}]}
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump(rules))
    run(
        program("promtool", "comes with Prometheus"),
        "check",
        "rules",
        "--lint=none",
        str(tmp_path / "panels.yaml"),
    )


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_do_not_overlap(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


@pytest.mark.slow
def test_grafana_finds_the_dashboards(helm: Helm, value_set: dict[str, Path]) -> None:
    objects = helm.render(value_set["everything"])
    maps = [
        one for one in objects if one["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    ]
    shipped = {name: text for one in maps for name, text in one["data"].items()}
    assert {name: json.loads(text) for name, text in shipped.items()} == {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS
    }
    for one in maps:
        assert one["metadata"]["annotations"] == {"grafana_folder": "Training"}
        assert one["metadata"]["labels"]["grafana"] == "main"
