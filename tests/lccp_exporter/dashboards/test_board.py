"""Dashboards as Grafana takes them."""

import pytest

from lccp_exporter.dashboards.board import (
    Board,
    Panel,
    Query,
    Variable,
    against_tokens,
    heat_map,
    number,
    table,
)


def a_panel(width: int, height: int = 8) -> Panel:
    return Panel("p", "A panel.", [Query("up")], width=width, height=height)


def test_panels_fill_rows_and_a_row_is_as_high_as_its_highest() -> None:
    panels = [a_panel(12, 4), a_panel(12, 9), a_panel(6), a_panel(20)]
    laid = Board("b", "B", "A board.", panels).json()["panels"]

    places = [tuple(panel["gridPos"].values()) for panel in laid]
    assert places == [(0, 0, 12, 4), (12, 0, 12, 9), (0, 9, 6, 8), (0, 17, 20, 8)]
    assert [panel["id"] for panel in laid] == [1, 2, 3, 4]


def test_queries_are_lettered_and_named() -> None:
    panel = Panel("p", "", [Query("a", "{{x}}"), Query("b")]).json(1, 0, 0)

    assert panel["targets"] == [
        {"refId": "A", "expr": "a", "legendFormat": "{{x}}"},
        {"refId": "B", "expr": "b"},
    ]
    assert "transformations" not in panel


def test_a_query_by_name_has_a_series_for_each_name() -> None:
    assert Query.by_name("a") == Query("max (a)")
    assert Query.by_name("a", "{{x}} of {{y}}").expression == "max by (x, y) (a)"


@pytest.mark.parametrize("log", [True, False])
def test_signals_against_tokens_are_a_table_turned_by_checkpoint(log: bool) -> None:
    panel = against_tokens("t", "", "lccp_checkpoint_signal", "percentunit", log).json(1, 0, 0)

    (target,) = panel["targets"]
    assert (target["format"], target["instant"], target["range"]) == ("table", True, False)
    assert panel["fieldConfig"]["defaults"]["unit"] == "percentunit"
    assert ("custom" in panel["fieldConfig"]["defaults"]) == log
    axis = panel["options"]["xField"]
    assert panel["transformations"][-1]["options"]["sort"] == [{"field": axis}]


def test_a_heat_map_is_sorted_along_both_axes() -> None:
    panel = heat_map("t", "", "lccp_niah_ppl", "depth", "length")

    sorts = [c["options"]["sort"][0]["field"] for c in panel.transformations if c["id"] == "sortBy"]
    assert sorts == ["length", "depth\\length"]


def test_a_table_has_a_column_for_each_value_and_hides_those_without_a_name() -> None:
    labels = {"run": "run", "state": "verdict"}
    panel = table("t", "", [("", "a"), ("loss", "b")], labels)

    assert [change["id"] for change in panel.transformations] == ["merge", "organize"]
    assert panel.transformations[-1]["options"] == {
        "excludeByName": {"Time": True, "Value #A": True},
        "indexByName": {"run": 0, "state": 1, "Value #B": 2},
        "renameByName": {"run": "run", "state": "verdict", "Value #B": "loss"},
    }


def test_the_value_of_a_table_with_one_query_has_no_letter() -> None:
    panel = table("t", "", [("value", "a")], {"run": "run"})
    assert panel.transformations[-1]["options"]["renameByName"] == {"run": "run", "Value": "value"}


def test_a_number_may_be_the_name_of_its_series() -> None:
    assert number("t", "", Query("a")).options["textMode"] == "auto"
    assert number("t", "", Query("a"), by_name=True).options["textMode"] == "name"


def test_a_board_has_its_data_source_and_variables_to_choose() -> None:
    board = Board("run", "R", "", [], [Variable("run", "Run", "label_values(run)")]).json()

    assert board["uid"] == "lccp-run"
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource", "run"]
