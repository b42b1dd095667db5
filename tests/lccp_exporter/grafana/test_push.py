"""What `push` writes into a server that checks every call against Grafana's description."""

from collections.abc import Callable
from typing import Any

import pytest
from grafana_server import Held

from lccp.contract.errors import InvalidInput
from lccp_exporter.dashboards.render import BOARDS
from lccp_exporter.grafana.client import Grafana
from lccp_exporter.grafana.push import PushResult, holds, push
from lccp_exporter.grafana.rules import rule_groups

GROUPS = [group["title"] for group in rule_groups("lccp", "prom", "")]
Push = Callable[..., list[PushResult]]


@pytest.fixture
def pushed(grafana: Grafana) -> Push:
    def call(
        alerts: bool = True, source: str | None = None, runbooks: str = "r/"
    ) -> list[PushResult]:
        return list(push(grafana, "LCCP", alerts, source, runbooks))

    return call


def test_folder_dashboards_and_rules_are_created(pushed: Push, held: Held) -> None:
    changes = pushed()
    assert {change.became for change in changes} == {"created"}
    assert [change.name for change in changes if change.what == "alerts"] == GROUPS
    assert held.folders["lccp"]["title"] == "LCCP"
    assert {known["meta"]["folderUid"] for known in held.dashboards.values()} == {"lccp"}
    assert held.dashboards.keys() == {f"lccp-{name}" for name in BOARDS}
    assert {rule["data"][0]["datasourceUid"] for rule in held.rules.values()} == {"prom"}


@pytest.mark.slow
def test_a_second_push_writes_nothing(pushed: Push, held: Held) -> None:
    pushed()
    held.calls.clear()
    assert {change.became for change in pushed()} == {"unchanged"}
    assert held.writes == []


def change_title(held: Held) -> None:
    held.dashboards["lccp-run"]["dashboard"]["title"] = "mine"


def remove_panel(held: Held) -> None:
    held.dashboards["lccp-run"]["dashboard"]["panels"].pop()


def move_dashboard(held: Held) -> None:
    held.dashboards["lccp-run"]["meta"]["folderUid"] = "elsewhere"


def change_query(held: Held) -> None:
    held.rules["lccp-lccprunsaturated"]["data"][0]["model"]["expr"] = "vector(1)"


def remove_rule(held: Held) -> None:
    del held.rules["lccp-lccprunsaturated"]


def add_rule(held: Held) -> None:
    held.rules["own"] = {**held.rules["lccp-lccprunsaturated"], "uid": "own", "title": "own"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (change_title, "LCCP run"),
        (remove_panel, "LCCP run"),
        (move_dashboard, "LCCP run"),
        (change_query, "lccp-verdict"),
        (remove_rule, "lccp-verdict"),
        (add_rule, "lccp-verdict"),
    ],
)
def test_only_what_differs_is_written_again(
    pushed: Push, held: Held, change: Callable[[Held], None], name: str
) -> None:
    pushed()
    change(held)
    held.calls.clear()
    assert [c.name for c in pushed() if c.became == "updated"] == [name]
    assert len(held.writes) == 1
    assert {c.became for c in pushed()} == {"unchanged"}


@pytest.mark.slow
def test_a_rule_of_ours_that_is_no_more_is_deleted_and_others_stay(
    pushed: Push, held: Held
) -> None:
    pushed()
    template = held.rules["lccp-lccprunsaturated"]
    for uid, folder in (("lccp-old", "lccp"), ("own", "lccp"), ("lccp-other", "elsewhere")):
        changed = {"uid": uid, "title": uid, "folderUID": folder, "ruleGroup": "another"}
        held.rules[uid] = {**template, **changed}
    deleted = [change for change in pushed() if change.became == "deleted"]
    assert deleted == [PushResult("alert", "lccp-old", "deleted")]
    assert {"own", "lccp-other"} <= held.rules.keys()
    assert "lccp-old" not in held.rules


def test_a_folder_that_is_there_keeps_its_title(pushed: Push, held: Held) -> None:
    held.folders["lccp"] = {"uid": "lccp", "title": "Long context"}
    assert pushed()[0] == PushResult("folder", "Long context", "unchanged")


def test_without_alerts_no_data_source_is_asked_for(pushed: Push, held: Held) -> None:
    held.datasources.clear()
    assert {change.what for change in pushed(alerts=False)} == {"folder", "dashboard"}
    assert held.rules == {}


def sources(*names: str, default: str = "") -> list[dict[str, Any]]:
    return [
        {"uid": name, "name": name.title(), "type": "prometheus", "isDefault": name == default}
        for name in names
    ]


def test_of_several_data_sources_the_default_is_asked(pushed: Push, held: Held) -> None:
    loki = {"uid": "loki", "name": "Loki", "type": "loki", "isDefault": False}
    held.datasources[:] = [loki, *sources("one", "two", default="two")]
    pushed()
    assert {rule["data"][0]["datasourceUid"] for rule in held.rules.values()} == {"two"}


@pytest.mark.parametrize(
    ("known", "named"),
    [([], "none"), (sources("one", "two"), "one (One), two (Two)")],
    ids=["none", "two without a default"],
)
def test_without_a_data_source_nothing_is_written(
    pushed: Push, held: Held, known: list[dict[str, Any]], named: str
) -> None:
    held.datasources[:] = known
    with pytest.raises(InvalidInput) as refused:
        pushed()
    assert f"there are: {named}. Give one with --data-source" in str(refused.value)
    assert held.writes == []


def test_a_data_source_that_is_named_is_taken(pushed: Push, held: Held) -> None:
    held.datasources.clear()
    pushed(source="mimir")
    assert {rule["data"][0]["datasourceUid"] for rule in held.rules.values()} == {"mimir"}


def test_defaults_that_are_filled_in_make_no_difference() -> None:
    assert holds({"a": [{"b": 1, "c": 2}], "d": 3}, {"a": [{"b": 1}]})
    assert not holds({"a": [{"b": 1}, {}]}, {"a": [{"b": 1}]})
    assert not holds({"a": None}, {"a": {"b": 1}})
    assert not holds({}, {"a": None})
