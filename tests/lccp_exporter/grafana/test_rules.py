import re

import yaml

from lccp_exporter.alerting import ALERTS, text
from lccp_exporter.grafana.rules import rule_groups

GROUPS = list(rule_groups("folder", "prom", "https://example.com/runbooks/"))
RULES = [rule for group in GROUPS for rule in group["rules"]]
PROMETHEUS = [rule for group in yaml.safe_load(text(ALERTS))["groups"] for rule in group["rules"]]


def test_every_alert_of_prometheus_is_one_of_grafana() -> None:
    assert [rule["title"] for rule in RULES] == [rule["alert"] for rule in PROMETHEUS]
    assert [rule["labels"] for rule in RULES] == [rule["labels"] for rule in PROMETHEUS]
    assert [rule["for"] for rule in RULES] == [rule["for"] for rule in PROMETHEUS]


def test_the_data_source_is_asked_the_same_expression() -> None:
    assert [rule["data"][0]["model"]["expr"] for rule in RULES] == [
        rule["expr"].strip() for rule in PROMETHEUS
    ]
    assert {rule["data"][0]["datasourceUid"] for rule in RULES} == {"prom"}


def test_it_fires_for_every_series_whatever_its_value() -> None:
    query, present, condition = RULES[0]["data"]
    assert present["model"]["expression"] == "is_number($A) || is_nan($A) || is_inf($A)"
    assert condition["model"]["expression"] == present["refId"]
    assert condition["model"]["conditions"] == [{"evaluator": {"type": "gt", "params": [0]}}]
    assert RULES[0]["condition"] == condition["refId"]
    assert query["model"]["instant"]


def test_no_data_is_no_alert_since_expressions_give_only_what_is_wrong() -> None:
    assert {rule["noDataState"] for rule in RULES} == {"OK"}


def test_annotations_show_the_value_of_the_query_and_the_runbook() -> None:
    shown = [text for rule in RULES for text in rule["annotations"].values()]
    assert not [text for text in shown if re.search(r"\$value\b", text)]
    assert any("{{ $values.A.Value | humanizeDuration }}" in text for text in shown)
    runbooks = {rule["annotations"]["runbook_url"] for rule in RULES}
    assert all(re.match(r"https://example.com/runbooks/\w+/lccp", url) for url in runbooks)


def test_uids_are_ours_and_short_enough() -> None:
    uids = [rule["uid"] for rule in RULES]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"lccp-[a-z]{1,35}", uid) for uid in uids)


def test_the_folder_of_runbooks_is_given_with_a_slash_at_its_end_or_without() -> None:
    assert list(rule_groups("folder", "prom", "https://example.com/runbooks")) == GROUPS
